// The instances of this node: starts, watches, restarts and stops them.
#pragma once

#include "instance_manager/backoff.hpp"
#include "instance_manager/event_queue.hpp"
#include "instance_manager/instance_logs.hpp"
#include "instance_manager/lifecycle.hpp"
#include "instance_manager/ports.hpp"

#include <map>
#include <memory>
#include <unordered_map>

namespace tcfdl::instance_manager {

struct NodeInstancesSettings {
  std::filesystem::path log_directory;              ///< within the node's state directory
  std::map<std::string, std::string> environment{}; ///< of every instance: TCFDL_… variables
  std::chrono::milliseconds prepare_timeout{300'000};
  std::chrono::milliseconds launch_timeout{30'000};
  std::chrono::milliseconds start_timeout{30'000}; ///< from launch to ready, where an order says nothing else
  std::chrono::milliseconds answer_within{10'000}; ///< likewise, a ping
  std::chrono::milliseconds overdue{30'000};       ///< likewise, that a task may run past its deadline
  std::chrono::milliseconds exit_timeout{10'000};  ///< from kill to exit
  std::chrono::milliseconds give_up_after{1500};   ///< two heartbeats: the master has heard why
  BackoffSettings backoff{};
  std::size_t max_instances = 256;
};

/// One run of an instance, admitted by its one-time token.
struct Admission {
  InstanceId instance;
  std::uint64_t run = 0;
};

/// Events go through one queue to one thread; what blocks runs on the executor. Every method may be called from any
/// thread and returns at once. An instance restarts until it is stopped, after a growing delay: when it ends, when it
/// does not get ready, when it does not answer pings, and when a task of it runs on long past its deadline.
class NodeInstances {
public:
  NodeInstances(NodeInstancesSettings settings, Proxy& proxy, Bundles& bundles, Reporter& reporter, Executor& executor,
                EventQueue::Now now = std::chrono::steady_clock::now);
  NodeInstances(const NodeInstances&) = delete;
  NodeInstances& operator=(const NodeInstances&) = delete;
  ~NodeInstances() { stop(); }

  void start();
  /// Ends the thread, then kills all instances. Idempotent.
  void stop() noexcept;
  /// In place of the thread: handles what is due.
  void run_due() { queue_.run_due(); }

  /// Nothing for an instance that exists. INVALID_ARGUMENT for a bad order or a manifest that the descriptor does not
  /// measure, UNAUTHENTICATED for a descriptor that its owner did not sign, RESOURCE_EXHAUSTED with too many instances.
  Status start_instance(const wire::StartInstance& order);
  /// Asks the instance to end what it has, kills it when `drain_ms` are over. Nothing for an unknown instance.
  void stop_instance(const wire::StopInstance& order);
  /// Tells the instance to end a burst lease. Nothing for an unknown instance, which has none then.
  void recall_burst(const wire::RecallBurst& order);
  /// Its process ended; `status` as waitpid gives it.
  void exited(const wire::InstanceExited& event);

  /// An instance says that it is ready. UNAUTHENTICATED for a token that is not one of a starting instance,
  /// INVALID_ARGUMENT for bad addresses.
  Result<Admission> admit(const wire::InstanceReady& ready, std::shared_ptr<Agent> agent);
  /// It answered a ping; `overdue`: how long its worst task has been running past its deadline.
  void answered(const Admission& admission, std::chrono::milliseconds overdue);
  /// The connection of an admitted instance ended: if it should run, it is killed and restarted.
  void agent_lost(const Admission& admission);
  /// Passed on in the instance's name, whatever the event says.
  void task_event(const Admission& admission, wire::TaskEvent event);
  void spans(const Admission& admission, const wire::Spans& spans) { reporter_.spans(admission.instance, spans); }

  /// All instances, by name.
  [[nodiscard]] std::vector<wire::InstanceStatus> status() const;
  [[nodiscard]] wire::Logs read_logs(const wire::ReadLogs& request) const;

private:
  using TimePoint = EventQueue::TimePoint;
  struct Record {
    Record(InstanceId name, BackoffSettings settings) : id(name), life(std::move(name)), backoff(settings) {}
    InstanceId id;
    wire::StartInstance order;
    wire::Descriptor descriptor;
    Lifecycle life;
    Backoff backoff;
    std::uint64_t run = 0;  // counts launches
    bool launching = false; // a launch is under way
    bool alive = false;     // launched, and no exit was told
    bool exit_told = false; // of this run
    bool retry_due = false; // waits for the exit of the run before
    bool given_up = false;  // no other run follows
    TimePoint failed_at;
    TimePoint ready_at;
    TimePoint retry_at;
    TimePoint answered_at; // the last ping
    std::uint32_t pid = 0;
    std::vector<std::filesystem::path> groups; // of the process
    std::uint32_t restarts = 0;
    std::string last_error;
    std::vector<std::string> addresses;
    std::shared_ptr<Agent> agent;
    std::string token;
  };
  using Handler = std::function<void()>;

  void bound_logs();
  void handle(const Handler& handler);
  void post(Handler handler);
  void post_after(std::chrono::milliseconds delay, Handler handler);
  Record* find(const InstanceId& id);
  Record* find(const InstanceId& id, std::uint64_t run);

  // Under mutex_, on the event thread.
  void handle_start(const wire::StartInstance& order, wire::Descriptor descriptor);
  void handle_launched(const InstanceId& id, std::uint64_t run, const Result<wire::LaunchedInstance>& process);
  void handle_ready(const Admission& admission, const wire::InstanceReady& ready, std::shared_ptr<Agent> agent);
  void handle_overdue(const InstanceId& id, std::uint64_t run);
  void handle_exit(const InstanceId& id, const std::string& how);
  void handle_retry(const InstanceId& id, std::uint64_t run);
  void handle_stop(const InstanceId& id, std::chrono::milliseconds drain);
  [[nodiscard]] std::chrono::milliseconds ready_within(const Record& record) const;
  [[nodiscard]] std::chrono::milliseconds answer_within(const Record& record) const;
  [[nodiscard]] std::chrono::milliseconds overdue_after(const Record& record) const;
  [[nodiscard]] std::uint32_t millis_until(TimePoint when) const;
  void watch(const Record& record);
  void handle_ping(const InstanceId& id, std::uint64_t run);
  void launch(Record& record);
  void fail(Record& record, std::string why);
  void give_up(const InstanceId& id);
  void drain(Record& record, std::chrono::milliseconds within);
  void send(const Record& record, wire::InstanceCommand command);
  void end(Record& record, std::string_view why);
  void kill(const Record& record);
  void kill_blocking(const InstanceId& id);
  void forget_if_over(Record& record);

  Result<wire::LaunchedInstance> launch_blocking(wire::LaunchInstance order);
  wire::LaunchInstance make_launch(const Record& record) const;

  // Constant after construction.
  const NodeInstancesSettings settings_;
  const InstanceLogs logs_;
  Proxy& proxy_;
  Bundles& bundles_;
  Reporter& reporter_;
  Executor& executor_;

  mutable std::mutex mutex_;
  std::map<InstanceId, Record> records_;              // guarded by mutex_
  std::unordered_map<std::string, Admission> tokens_; // guarded by mutex_: not used yet
  bool changed_ = false;                              // guarded by mutex_
  bool stopped_ = false;                              // guarded by mutex_
  EventQueue queue_;
};

} // namespace tcfdl::instance_manager
