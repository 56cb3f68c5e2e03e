// The master's direct door: leases, relays, artefacts and the entry proxy for callers and nodes of its cluster.
#pragma once

#include "base/rate_limiter.hpp"
#include "collaboration/links.hpp"
#include "database/file_store.hpp"
#include "metrics/tally.hpp"
#include "node/async_tasks.hpp"
#include "node/client_certificates.hpp"
#include "node/connection_shares.hpp"
#include "node/host.hpp"
#include "node/task_streams.hpp"
#include "node/topic_door.hpp"
#include "security_manager/audit_log.hpp"
#include "task_manager/task_manager.hpp"
#include "wire/hangup_watcher.hpp"
#include "wire/revocations.hpp"
#include "wire/signed.hpp"
#include "wire/tls_connection.hpp"

namespace tcfdl::node {

/// Where callers on other machines come, in TLS.
struct NetworkDoor {
  wire::Address address;
  wire::TlsSource tls;
};

struct TaskDoorSettings {
  wire::Address address;              ///< on this machine
  std::optional<NetworkDoor> network; ///< nothing: such callers cannot come
  std::string token;                  ///< admits connections
  std::string cluster;
  std::string node;
  wire::HeldCertificate entry_proxy; ///< certificate of the cluster's entry proxy
  unsigned call_rate = 0;            ///< calls a second of one caller; 0: no limit
  Bytes tls_root = {};               ///< the authority's, X.509 in DER, for callers of instances in TLS
};

/// Connections of one caller that is no gateway; each of its calls that waits has one.
constexpr std::size_t kMostEach = 512;

/// What the door opens to; all outlive it.
struct TaskDoorParts {
  task_manager::TaskManager& tasks;
  collaboration::Links& links;
  database::FileStore& files;
  ProxyProcess& proxy;
  Host& host;
  message_queue::Bus& bus;           ///< by which workers on other machines come
  security_manager::AuditLog& audit; ///< of refused calls, those that gateways refuse too
  const crypto::VerifyKey& authority;
  const wire::Revocations& revocations;
  ClientCertificates& certificates;
  AsyncTasks& async;
  TopicDoor& topics;
  const Clock& clock;
  wire::SpanBuffer* spans = nullptr; ///< exports spans; nullptr: nobody does
};

/// Connections to its addresses and streams of the message queue, a thread each.
class TaskDoor {
public:
  static Result<std::unique_ptr<TaskDoor>> start(TaskDoorSettings settings, const TaskDoorParts& parts);
  void stop() noexcept {
    streams_->stop();
    if (network_) network_->stop();
    listener_->stop();
  }

  /// Whom and what it refused.
  void put_on(metrics::Page& page) const;

private:
  TaskDoor(TaskDoorSettings settings, const TaskDoorParts& parts)
      : settings_(std::move(settings)), parts_(parts), calls_(settings_.call_rate) {}
  /// From where a connection comes.
  enum class Origin : std::uint8_t { kCluster, kNetwork };
  struct Caller {
    wire::Certificate certificate;
    Origin origin;
  };

  void serve(wire::Connection& connection, Origin origin);
  /// Who is there, by the certificate of now; puts it into `welcome` where that is another than it has shown.
  Result<wire::Certificate> admit(wire::Connection& connection, wire::CallerWelcome& welcome);
  bool handle(wire::Connection& connection, const Caller& caller, const wire::TaskManagerRequest& request);
  [[nodiscard]] Status check_still_good(const wire::Certificate& caller) const;
  Result<wire::TaskManagerReply> answer(wire::Connection& connection, const Caller& caller,
                                        const wire::TaskManagerRequest& request);
  Result<wire::LeaseGrant> lease(wire::Connection& connection, const Caller& caller, wire::LeaseRequest request);
  /// `who`: as whom the caller is counted.
  [[nodiscard]] Status check_call(const wire::Certificate& caller, const std::string& who, const std::string& function);
  [[nodiscard]] Status admit_call(const wire::Certificate& caller, const std::string& who, const std::string& function);
  bool submit(wire::Connection& connection, const wire::Certificate& caller, const wire::SubmitTask& task);
  bool query(wire::Connection& connection, const wire::Certificate& caller, const wire::TaskQuery& query);
  Result<wire::TopicReply> topic(wire::Connection& connection, const wire::Certificate& caller,
                                 const wire::TopicRequest& request);
  Result<wire::FunctionOffer> describe(const wire::Certificate& caller, const std::string& function) const;
  Result<wire::Signed> newest(const wire::Certificate& caller, const wire::Signed& unverified);
  Result<std::unique_ptr<wire::Connection>> open(const wire::OpenRelay& request) const;
  Result<std::unique_ptr<wire::Connection>> open_linked(const wire::OpenRelay& request) const;
  Status take_spans(const wire::Certificate& caller, const wire::Spans& spans);
  Status take_refusals(const wire::Certificate& caller, const wire::Refusals& refusals);
  bool relay(wire::Connection& connection, const wire::OpenRelay& request);
  bool send_file(wire::Connection& connection, const wire::Certificate& caller, const std::string& digest);

  const TaskDoorSettings settings_;
  const TaskDoorParts parts_;
  RateLimiter calls_;
  ConnectionShares shares_{kMostEach};
  metrics::Tally refused_; ///< by what and code
  wire::HangupWatcher watcher_;
  std::unique_ptr<wire::Listener> listener_;
  std::unique_ptr<wire::Listener> network_; // may be null
  std::unique_ptr<TaskStreams> streams_;
};

} // namespace tcfdl::node
