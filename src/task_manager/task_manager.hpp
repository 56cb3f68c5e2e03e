// The master's task manager: queues tasks, places them on instances and grants leases.
#pragma once

#include "task_manager/scheduler.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace tcfdl::task_manager {

/// Holds task ids and names, never data. Thread-safe. `acquire` blocks its caller's thread; signing and other clusters
/// are called without a lock. One timer thread runs between `start` and `stop`. Callers inside `acquire` must have
/// returned before destruction, which `stop` makes them do.
class TaskManager {
public:
  TaskManager(TaskManagerSettings settings, LeaseSigner& signer, Peers& peers, Recalls& recalls,
              const TimeSource& time);
  TaskManager(const TaskManager&) = delete;
  TaskManager& operator=(const TaskManager&) = delete;
  ~TaskManager() { stop(); }

  /// Starts the timer thread. Idempotent until `stop`.
  void start();
  /// Refuses new tasks, answers UNAVAILABLE to those that wait, ends the thread. Idempotent, final.
  void stop() noexcept;

  /// Adds or updates a function. A newer version's descriptor applies to newer instances, which take all tasks as soon
  /// as one is there.
  void set_function(FunctionPolicy policy);
  /// Of a newer version, which is tried: its instances take tasks beside those of the function's own. Nothing for an
  /// unknown function.
  void set_candidate(FunctionPolicy policy);
  /// Waiting tasks get NOT_FOUND.
  void remove_function(const FunctionName& name);

  /// Adds an instance that is ready, or updates its routes.
  void set_instance(InstanceInfo info);
  /// No new leases for it; those it has run on.
  void drain_instance(const InstanceId& id);
  /// Ends its leases. Tasks that had started there are lost.
  void remove_instance(const InstanceId& id, std::string_view reason);

  /// Told at once, by the waiting caller's thread and without a lock, of each task that finds no free instance of its
  /// function. Set before the first task.
  void on_waiting(std::function<void(const FunctionName&)> tell) { waiting_ = std::move(tell); }
  /// Told, without a lock, of the node of each lease that ended before its task was accepted: whoever held it may have
  /// found nobody there. Set before the first task.
  void on_unaccepted(std::function<void(const NodeId&)> tell) { unaccepted_ = std::move(tell); }
  /// Why instances of a function do not start, for callers that waited in vain; empty: they do.
  void set_problem(const FunctionName& name, std::string problem);
  /// Whether an instance has tasks.
  [[nodiscard]] bool has_tasks(const InstanceId& id) const;

  /// Waits for an instance and grants it. `request.cluster` set to our own keeps the task here, to another sends it
  /// there; empty allows both, ours first. Errors: INVALID_ARGUMENT, NOT_FOUND (no such function here nor at peers),
  /// RESOURCE_EXHAUSTED (the queue is full; `retry_after` tells when to come again), PERMISSION_DENIED (a priority that
  /// the caller may not ask for), UNAVAILABLE (no instance became ready, the first run was lost, stopping),
  /// DEADLINE_EXCEEDED (all instances stayed busy), ALREADY_EXISTS (the id belongs to a task of another function),
  /// CANCELLED, and those of the other cluster.
  Result<wire::LeaseGrant> acquire(const wire::LeaseRequest& request, const std::stop_token& cancel);

  /// How the newest version of a function is scheduled. NOT_FOUND when this cluster does not have it.
  [[nodiscard]] Result<std::shared_ptr<const FunctionPolicy>> policy(const FunctionName& name) const;
  /// For a task that may have begun at an instance, as before a restart of this process: the next `acquire` of its id
  /// finds its first run there. False where that instance is not known (yet).
  bool resume(const wire::LeaseRequest& request, const InstanceId& instance);
  /// Whether the caller may ask for that priority. PERMISSION_DENIED.
  [[nodiscard]] Status check_priority(const wire::LeaseRequest& request) const { return claims_.check(request); }

  /// A task's start or end, told by its instance. Unknown leases are ignored.
  void handle_event(const wire::TaskEvent& event);
  /// The leases that run on a node, by its heartbeat: a start or an end whose report was lost is noticed by it.
  void reconcile(const NodeId& node, const std::set<std::string>& running);
  /// The caller gives up a lease. A task that started keeps its slot until its instance reports the end.
  void release(const std::string& lease_id);
  /// As above, passed on when the lease is another cluster's.
  void release(const wire::LeaseRelease& release);

  /// Ends the leases whose time is over; the timer thread's work.
  void reclaim();
  /// By name of function.
  [[nodiscard]] std::vector<FunctionStats> stats() const;
  /// Requests for functions that this cluster does not have and that got no lease elsewhere either, by code.
  [[nodiscard]] CodeCounts unleased_elsewhere() const;

private:
  [[nodiscard]] bool may_leave(const wire::LeaseRequest& request) const { return request.cluster().empty(); }
  [[nodiscard]] bool names_peer(const wire::LeaseRequest& request) const {
    return !request.cluster().empty() && request.cluster() != settings_.cluster.str();
  }
  class Waiter;

  Result<wire::LeaseGrant> acquire_traced(const wire::LeaseRequest& request, const std::stop_token& cancel);
  Result<wire::LeaseGrant> acquire_anywhere(const wire::LeaseRequest& request, const std::stop_token& cancel);
  Result<wire::LeaseGrant> acquire_here(Waiter& ticket, const std::stop_token& cancel);
  Result<wire::LeaseGrant> ask_peers(wire::LeaseRequest request, Deadline deadline);
  Result<wire::LeaseGrant> offload(const Waiter& ticket, Error otherwise);
  Status enqueue(Ticket& ticket);
  Result<wire::LeaseGrant> wait(Waiter& ticket, const std::stop_token& cancel);
  [[nodiscard]] Result<wire::LeaseGrant> finish(Ticket& ticket) const;
  void timer_loop();
  void tell_unaccepted();

  // Constant after construction.
  const TaskManagerSettings settings_;
  LeaseSigner& signer_;
  Peers& peers_;
  Recalls& recalls_;
  std::function<void(const FunctionName&)> waiting_; // constant after the start
  std::function<void(const NodeId&)> unaccepted_;    // likewise
  const TimeSource& time_;
  const Claims claims_;

  mutable std::mutex mutex_;
  Scheduler scheduler_;   // guarded by mutex_
  bool stopping_ = false; // guarded by mutex_
  std::condition_variable stop_requested_;
  std::thread timer_;
};

} // namespace tcfdl::task_manager
