// The instance's side of the task protocol: checks, opens, runs, seals. docs/formats/task_protocol.md.
#pragma once

#include "base/guarded.hpp"
#include "sdk/burst_leases.hpp"
#include "sdk/outcome_store.hpp"
#include "sdk/presented_tasks.hpp"
#include "sdk/processor_keys.hpp"
#include "sdk/receipts.hpp"
#include "sdk/topic_keys.hpp"
#include "wire/body.hpp"
#include "wire/hangup_watcher.hpp"
#include "wire/hop_channel.hpp"
#include "wire/tracing.hpp"

#include <atomic>
#include <set>
#include <tcfdl/function.hpp>
#include <variant>

namespace tcfdl::sdk {

using Work = std::variant<Handler, StreamHandler>;

/// Who reads what passes on a connection.
enum class Reach : std::uint8_t {
  kClosed, ///< its ends alone: within a machine, or in TLS
  kOpen,   ///< the network between
};

struct TaskServerSettings {
  std::string instance;
  std::string function;
  unsigned concurrency = 1;
  std::uint64_t max_body = std::uint64_t{1} << 30U;    ///< bytes
  std::vector<std::string> protections;                ///< that the function's owner admits
  std::size_t outcome_budget = std::size_t{64} << 20U; ///< bytes of outcomes kept for repeats
  wire::Signed descriptor = {};                        ///< of the function, for receipts
  std::vector<std::string> topics = {};                ///< whose messages the function handles
  bool isolated = false; ///< capsules are for one lease of one instance, as the function's owner wants it
  std::function<Status(const TlsChain&)> renew_tls = {}; ///< as in ProcessorKeysSettings
  wire::SpanSink* spans = nullptr;                       ///< where spans of tasks go; nullptr: nowhere
};

/// Serves each connection on the thread that calls `serve`. Thread-safe.
class TaskServer {
public:
  TaskServer(TaskServerSettings settings, const Identity& identity, ProcessorKey key, Proxy& proxy, TaskEvents& events,
             Client& outgoing, Work work, const Clock& clock, const wire::Revocations& revocations);

  /// Runs the tasks of one connection until it ends. From an open one it takes none that are not sealed.
  void serve(wire::Connection& connection, Reach reach);

  /// Gets the certificate and keys of now from the proxy, and goes on with those. Errors of the proxy and the
  /// authority.
  Status renew(Deadline deadline) { return keys_.renew(deadline); }

  /// Erases keys and capsules of epochs that are over, and capsules of senders who are revoked.
  void erase_void() { keys_.erase_void(); }

  /// No further task of a burst lease: others wait for its slot.
  void recall_burst(const std::string& lease_id) { bursts_.recall(lease_id); }

  /// How long the task that is furthest past its deadline has been running on; 0: none is.
  [[nodiscard]] std::chrono::milliseconds overdue();

  /// Refuses new tasks and waits until the running ones have ended or `deadline` passed.
  void drain(Deadline deadline);

private:
  struct Session;
  struct Task;

  void serve_tasks(Session& session);
  static Deadline next_request_by(const Session& session);
  void serve_path(wire::Connection& connection, BytesView offer);
  Result<std::vector<std::string>> check_route(const wire::HopRoute& route, const wire::Certificate& proxy) const;
  Result<Task> admit(Session& session, const wire::TaskRequest& request);
  Status prepare(const Session& session, const wire::TaskRequest& request, Task& task);
  [[nodiscard]] std::unique_ptr<wire::OpenSpan> open_span(const wire::TaskRequest& request,
                                                          const wire::SealedHeader& header) const;
  Result<Task> admit_message(Session& session, const wire::TaskRequest& request);
  Result<wire::TopicHeader> check_message(const Session& session, const wire::TopicDelivery& delivery,
                                          const wire::Lease& lease) const;
  Status check_protection(const Session& session, const Task& task) const;
  Result<wire::Lease> lease_of(Session& session, const wire::TaskRequest& request);
  Result<wire::Lease> check_lease(Session& session, const wire::TaskRequest& request);
  Status check_possession(Session& session, const wire::TaskRequest& request, const std::string& holder) const;
  Status check_presented(const Session& session, const Task& task) const;
  bool handle_cancel(Session& session, const wire::TaskRequest& request);
  Status cancel_presented(Session& session, const wire::TaskRequest& request);
  Status open_burst(Session& session, const wire::Lease& lease);
  Result<crypto::VerifyKey> master_key(const wire::Signed& certificate, const std::string& cluster);
  bool handle(Session& session, const wire::TaskRequest& request);
  Status run(Session& session, Task& task);
  Status run_whole(Session& session, Task& task, const Handler& handler, TaskContext& context);
  Status run_stream(Session& session, Task& task, const StreamHandler& handler, TaskContext& context);
  Outcome outcome_of(const Session& session, Task& task, BytesView body, Result<Bytes> result) const;
  Status send_outcome(Session& session, const Task& task, const Outcome& outcome) const;
  void report(const Task& task, bool done);
  Status enter(const Task& task);
  void end_work(Task& task);
  void leave();

  // Constant after construction.
  const TaskServerSettings settings_;
  const Identity& identity_;
  TaskEvents& events_;
  Client& outgoing_;
  const Work work_;
  const Clock& clock_;
  const wire::Revocations& revocations_;

  struct KnownMaster {
    wire::Certificate certificate;
    crypto::VerifyKey key;
  };
  ProcessorKeys keys_;
  TopicKeys topic_keys_;
  Guarded<std::map<std::string, KnownMaster>> masters_; // by certificate
  wire::HangupWatcher watcher_;
  const crypto::Fingerprints fingerprints_; // of bodies
  OutcomeStore outcomes_;
  PresentedTasks presented_;
  BurstLeases bursts_;
  const ReceiptIssuer receipts_;
  std::mutex mutex_;
  std::condition_variable idle_;
  unsigned running_ = 0;                                 // guarded by mutex_; handlers at work
  unsigned busy_ = 0;                                    // guarded by mutex_; those and results on their way
  bool draining_ = false;                                // guarded by mutex_
  std::multiset<Deadline::Clock::time_point> deadlines_; // guarded by mutex_; of the running handlers' tasks
};

} // namespace tcfdl::sdk
