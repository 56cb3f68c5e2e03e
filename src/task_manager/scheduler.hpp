// Functions, instances, leases and waiting tasks: the state behind the task manager's lock.
#pragma once

#include "base/log.hpp"
#include "task_manager/claims.hpp"
#include "task_manager/pool.hpp"
#include "task_manager/ports.hpp"
#include "task_manager/queue.hpp"
#include "task_manager/recent_times.hpp"
#include "task_manager/task_history.hpp"

#include <map>
#include <set>
#include <unordered_map>

namespace tcfdl::task_manager {

/// What became of a ticket that was tried.
enum class Standing : std::uint8_t {
  kSettled,    ///< the ticket has its outcome
  kElsewhere,  ///< the task was leased to another cluster before
  kBusy,       ///< every instance is
  kNoInstance, ///< the function is ours and has no instance now
  kNoFunction, ///< the function is not ours
};

struct ActiveLease;

/// Not thread-safe: the task manager calls it under its mutex. It has no clock but the time source and no thread, so
/// that a simulation runs it as it is. No slot is ever free that a waiting ticket would take: each change that frees
/// one hands it to the ticket whose turn it is.
class Scheduler {
public:
  Scheduler(const TaskManagerSettings& settings, const TimeSource& time);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  void set_function(FunctionPolicy policy);
  void set_candidate(FunctionPolicy policy);
  void remove_function(const FunctionName& name);
  void set_instance(InstanceInfo info);
  void drain_instance(const InstanceId& id);
  void remove_instance(const InstanceId& id);

  /// Why instances of a function do not start, for callers that waited in vain; empty: they do.
  void set_problem(const FunctionName& name, std::string problem);
  /// Whether an instance has leases.
  [[nodiscard]] bool has_tasks(const InstanceId& id) const;

  /// Settles the ticket if an instance can take it now or its task is known already.
  Standing attempt(Ticket& ticket);
  /// Lets a ticket wait that was tried just now. RESOURCE_EXHAUSTED, with a time to come again, when the queue is full.
  /// Another caller's ticket may get that instead.
  Status enqueue(Ticket& ticket);
  /// Takes a ticket out of its queue and settles it with an error; nothing if it is settled.
  void abandon(Ticket& ticket, Error error);
  /// The bursts to take back for those who wait in the ticket's queue, one for each of them; each is named once.
  std::vector<Recall> recalls(const Ticket& ticket);
  /// What a ticket is told whose deadline passed.
  [[nodiscard]] Error overdue(const Ticket& ticket) const;
  /// Settles all that wait.
  void abandon_all(const Error& error);

  /// Where the task was leased to in another cluster; empty if it was not.
  ClusterId cluster_of(const wire::LeaseRequest& request);
  void remember_elsewhere(const wire::LeaseRequest& request, const wire::LeaseGrant& grant);

  /// Null for a function that is not here.
  [[nodiscard]] std::shared_ptr<const FunctionPolicy> policy_of(const FunctionName& name) const;
  /// Enters that a task may have begun at an instance. False where that instance is not known.
  bool resume(const wire::LeaseRequest& request, const InstanceId& instance);

  void handle_event(const wire::TaskEvent& event);
  void release(const std::string& lease_id);
  /// The nodes of leases that ended before their task was accepted, since it was asked before.
  std::vector<NodeId> take_unaccepted() { return std::exchange(unaccepted_, {}); }
  /// The leases that a node says are running, in case that reports of starts and ends got lost on the way.
  void reconcile(const NodeId& node, const std::set<std::string>& running);
  /// Ends the leases whose time is over.
  void reclaim();
  [[nodiscard]] std::vector<FunctionStats> stats() const;

  /// Counts a request that gets no lease.
  void note_unleased(const FunctionName& name, Code code);
  /// Such requests for functions that are not here, by code.
  [[nodiscard]] const CodeCounts& unleased_elsewhere() const noexcept { return unleased_elsewhere_; }

private:
  friend struct ActiveLease;
  struct Function {
    explicit Function(const TaskManagerSettings& settings) : pool(settings.placement, settings.seed) {}
    FunctionStats stats; // counters only; sizes are filled in when asked
    std::map<std::uint64_t, std::shared_ptr<const FunctionPolicy>> policies; // by version
    std::uint64_t serving = 0;                                               // the version in force
    std::uint64_t candidate = 0;                                             // the last that was tried
    Pool pool;
    RecentTimes times;
    std::string problem;
    Queue queue;
    std::vector<ActiveLease*> bursts; // oldest first
    std::vector<Instance*> silent;    // that let a lease end unused; avoided for a time
    std::size_t in_flight = 0;
    std::size_t started = 0;
    [[nodiscard]] const FunctionPolicy& policy() const { return *policies.at(serving); }
  };
  using Leases = std::unordered_map<std::string, std::unique_ptr<ActiveLease>>;
  using Timers = std::multimap<std::chrono::steady_clock::time_point, ActiveLease*>;

  Function* find_function(const FunctionName& name);
  Instance* find_instance(const InstanceId& id);
  ActiveLease* find_lease(const std::string& id);
  [[nodiscard]] Ask ask_of(const Function& function, const wire::LeaseRequest& request);
  bool settle_known(Function& function, Ticket& ticket);
  bool place(Function& function, Ticket& ticket);
  [[nodiscard]] bool may_burst(const Function& function, const wire::LeaseRequest& request) const;
  void open_lease(Function& function, Instance& instance, const Ticket& ticket, const wire::Lease& granted);
  Placed grant(const Function& function, const Instance& instance, const Ticket& ticket, std::string lease_id);
  void dispatch(Function& function);
  void tidy(const FunctionName& name);
  [[nodiscard]] Error full(const Function& function, std::string_view more) const;
  void set_timer(ActiveLease& lease);
  /// Gives the slot back, to whom waits for it only by `dispatch`.
  void drop(ActiveLease& lease);
  void end_lease(ActiveLease& lease);
  void note_start(ActiveLease& lease);
  void note_silence(ActiveLease& lease);
  void note_life(ActiveLease& lease);
  void finish(const ActiveLease& lease, const wire::TaskEvent& event);
  void count(const ActiveLease& lease, const wire::TaskRun& run);

  const TaskManagerSettings& settings_;
  const TimeSource& time_;
  const Claims claims_;
  std::unordered_map<NodeId, Node> nodes_;
  std::unordered_map<FunctionName, Function> functions_;
  std::unordered_map<InstanceId, Instance*> instances_;
  Leases leases_;
  Timers timers_; // when leases end by themselves
  TaskHistory history_;
  std::uint64_t incarnations_ = 0;
  CodeCounts unleased_elsewhere_{};
  std::vector<NodeId> unaccepted_;
};

/// A slot of an instance that a task holds, or the tasks of a burst one after the other.
struct ActiveLease {
  std::string id;
  std::string key;   ///< of the task in the history; empty for bursts, whose tasks are not remembered
  std::string task;  ///< that asked for it
  std::string trace; ///< its trace id; empty: none
  Scheduler::Function* function = nullptr;
  Instance* instance = nullptr;
  std::string from; ///< the caller's node
  std::uint64_t bytes = 0;
  std::chrono::steady_clock::time_point granted_at;
  std::chrono::steady_clock::time_point started_at;
  std::chrono::steady_clock::time_point accept_by;
  std::chrono::steady_clock::time_point end_by;
  Scheduler::Timers::iterator timer;

  /// What lines of the log say of it; valid while the lease is.
  [[nodiscard]] LogSubject subject() const { return {task, function->stats.function.str(), trace}; }
  bool started = false;
  bool burst = false;
  bool recalled = false; ///< a burst that was asked to end
};

/// How long until a queue is half empty: `waiting` tasks that take `service_us` each on `slots`; a second where nothing
/// is known. At least 10 ms, at most a minute.
std::chrono::milliseconds retry_after(std::size_t waiting, double service_us, std::size_t slots);

} // namespace tcfdl::task_manager
