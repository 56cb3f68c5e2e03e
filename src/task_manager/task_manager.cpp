#include "task_manager/task_manager.hpp"

#include "base/log.hpp"
#include "wire/lease_request.hpp"

#include <algorithm>
#include <pthread.h>

namespace tcfdl::task_manager {
namespace {

Status check(const wire::LeaseRequest& request) {
  if (!is_uuid(request.task_id())) return Error(Code::kInvalidArgument, "the task's id is no UUID in lower case");
  TCFDL_TRY(parse_function_name(request.function()));
  if (request.exclude_size() > wire::kMaxExcluded) {
    return make_error(Code::kInvalidArgument, "{} instances are excluded, at most {} may be", request.exclude_size(),
                      wire::kMaxExcluded);
  }
  if (request.remaining_ms() == 0) return Deadline::exceeded("the way to the task manager");
  return {};
}

/// Milliseconds that a task does not wait to the end, so that the answer reaches who asked before the deadline.
std::uint32_t way_back(std::uint32_t remaining) { return std::min(remaining / 10, 250U); }

Error stopping() { return {Code::kUnavailable, "the task manager is stopping; try again later"}; }

Error unknown_function(const std::string& name) {
  return make_error(Code::kNotFound, "no function {} in this cluster nor in those it works with", name);
}

} // namespace

/// A ticket whose thread sleeps until it is settled.
class TaskManager::Waiter final : public Ticket {
public:
  Waiter(const wire::LeaseRequest& request, const TimeSource& time)
      : Ticket(request, time.steady()),
        deadline_(Deadline::after_millis(request.remaining_ms() - way_back(request.remaining_ms()))) {}

  [[nodiscard]] Deadline deadline() const noexcept { return deadline_; }
  /// False when the deadline passed first. `lock` holds the scheduler's mutex.
  bool wait(std::unique_lock<std::mutex>& lock) {
    return wake_.wait_until(lock, deadline_.when(), [this] { return settled(); });
  }

private:
  void wake() override { wake_.notify_one(); }

  const Deadline deadline_;
  std::condition_variable wake_;
};

TaskManager::TaskManager(TaskManagerSettings settings, LeaseSigner& signer, Peers& peers, Recalls& recalls,
                         const TimeSource& time)
    : settings_(std::move(settings)), signer_(signer), peers_(peers), recalls_(recalls), time_(time),
      claims_(settings_.callers), scheduler_(settings_, time) {}

void TaskManager::start() {
  const std::scoped_lock lock(mutex_);
  if (stopping_ || timer_.joinable()) return;
  timer_ = std::thread([this] { timer_loop(); });
  ::pthread_setname_np(timer_.native_handle(), "lease-timer");
}

void TaskManager::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    scheduler_.abandon_all(stopping());
  }
  stop_requested_.notify_all();
  if (timer_.joinable()) timer_.join();
}

void TaskManager::timer_loop() {
  std::unique_lock lock(mutex_);
  for (auto last = time_.steady();;) {
    if (stop_requested_.wait_for(lock, settings_.reclaim_every, [this] { return stopping_; })) return;
    // While this process was stopped, events waited to be read; they come first.
    const auto now = time_.steady();
    if (now - std::exchange(last, now) >= 4 * settings_.reclaim_every) continue;
    lock.unlock();
    reclaim();
    lock.lock();
  }
}

void TaskManager::tell_unaccepted() {
  std::vector<NodeId> nodes;
  {
    const std::scoped_lock lock(mutex_);
    nodes = scheduler_.take_unaccepted();
  }
  if (!unaccepted_) return;
  for (const auto& node : nodes) unaccepted_(node);
}

void TaskManager::set_function(FunctionPolicy policy) {
  const std::scoped_lock lock(mutex_);
  scheduler_.set_function(std::move(policy));
}

void TaskManager::set_candidate(FunctionPolicy policy) {
  const std::scoped_lock lock(mutex_);
  scheduler_.set_candidate(std::move(policy));
}

void TaskManager::remove_function(const FunctionName& name) {
  const std::scoped_lock lock(mutex_);
  scheduler_.remove_function(name);
}

void TaskManager::set_instance(InstanceInfo info) {
  spdlog::info("task manager: {} takes tasks of {}", info.id, info.function);
  const std::scoped_lock lock(mutex_);
  scheduler_.set_instance(std::move(info));
}

void TaskManager::drain_instance(const InstanceId& id) {
  const std::scoped_lock lock(mutex_);
  scheduler_.drain_instance(id);
}

void TaskManager::remove_instance(const InstanceId& id, std::string_view reason) {
  spdlog::info("task manager: {} takes no more tasks: {}", id, reason);
  const std::scoped_lock lock(mutex_);
  scheduler_.remove_instance(id);
}

void TaskManager::set_problem(const FunctionName& name, std::string problem) {
  const std::scoped_lock lock(mutex_);
  scheduler_.set_problem(name, std::move(problem));
}

bool TaskManager::has_tasks(const InstanceId& id) const {
  const std::scoped_lock lock(mutex_);
  return scheduler_.has_tasks(id);
}

Result<wire::LeaseGrant> TaskManager::acquire(const wire::LeaseRequest& request, const std::stop_token& cancel) {
  TCFDL_TRY(check(request));
  auto granted = acquire_traced(request, cancel);
  if (granted) return granted;
  const std::scoped_lock lock(mutex_);
  scheduler_.note_unleased(FunctionName(request.function()), granted.error().code());
  return granted;
}

/// The wait as a span, if its trace is recorded.
Result<wire::LeaseGrant> TaskManager::acquire_traced(const wire::LeaseRequest& request, const std::stop_token& cancel) {
  const auto parent = TraceContext::parse(request.traceparent());
  wire::OpenSpan span(settings_.spans, parent.value_or(TraceContext()), "queue", wire::SPAN_KIND_SERVER);
  if (!span.records()) return acquire_anywhere(request, cancel);
  auto within = request;
  within.set_traceparent(span.context().traceparent());
  span.set("function", request.function());
  auto granted = acquire_anywhere(within, cancel);
  span.set_outcome(granted ? Status() : Status(granted.error()));
  return granted;
}

Result<wire::LeaseGrant> TaskManager::acquire_anywhere(const wire::LeaseRequest& request,
                                                       const std::stop_token& cancel) {
  TCFDL_TRY(claims_.check(request));
  if (names_peer(request)) return ask_peers(request, Deadline::after_millis(request.remaining_ms()));
  Waiter ticket(request, time_);
  return acquire_here(ticket, cancel);
}

Result<wire::LeaseGrant> TaskManager::acquire_here(Waiter& ticket, const std::stop_token& cancel) {
  const auto& request = ticket.request();
  Standing standing{};
  Status queued;
  std::vector<Recall> recalls;
  ClusterId elsewhere;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return stopping();
    standing = scheduler_.attempt(ticket);
    if (standing == Standing::kBusy) queued = scheduler_.enqueue(ticket);
    if (standing == Standing::kBusy && queued) recalls = scheduler_.recalls(ticket);
    if (standing == Standing::kElsewhere) elsewhere = scheduler_.cluster_of(request);
  }
  for (const auto& burst : recalls) recalls_.recall(burst);
  if (standing == Standing::kSettled) return finish(ticket);
  if (standing == Standing::kElsewhere) {
    auto again = request;
    again.set_cluster(elsewhere.str());
    return ask_peers(std::move(again), ticket.deadline());
  }
  if (standing == Standing::kNoFunction) return offload(ticket, unknown_function(request.function()));
  if (!queued) return offload(ticket, std::move(queued).error());
  if (waiting_) waiting_(FunctionName(request.function()));
  if (standing == Standing::kNoInstance) {
    auto away = offload(ticket, {Code::kUnavailable, ""});
    if (away) return away;
    TCFDL_TRY(enqueue(ticket));
  }
  auto granted = wait(ticket, cancel);
  if (granted || granted.error().code() != Code::kResourceExhausted) return granted;
  return offload(ticket, std::move(granted).error()); // others took its place in the queue
}

/// Lets a ticket wait that was tried elsewhere meanwhile.
Status TaskManager::enqueue(Ticket& ticket) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return stopping();
  switch (scheduler_.attempt(ticket)) {
  case Standing::kBusy:
  case Standing::kNoInstance: return scheduler_.enqueue(ticket);
  case Standing::kNoFunction: return unknown_function(ticket.request().function());
  case Standing::kElsewhere: return Error(Code::kAborted, "the same task was just leased elsewhere; try again");
  case Standing::kSettled: break;
  }
  return {};
}

Result<wire::LeaseGrant> TaskManager::wait(Waiter& ticket, const std::stop_token& cancel) {
  const std::stop_callback on_cancel(cancel, [&] {
    const std::scoped_lock lock(mutex_);
    scheduler_.abandon(ticket, {Code::kCancelled, "the caller cancelled the task while it waited"});
  });
  {
    std::unique_lock lock(mutex_);
    if (!ticket.wait(lock)) scheduler_.abandon(ticket, scheduler_.overdue(ticket));
  }
  return finish(ticket);
}

/// At another cluster, if the request may leave and one provides the function; else `otherwise`.
Result<wire::LeaseGrant> TaskManager::offload(const Waiter& ticket, Error otherwise) {
  const auto& request = ticket.request();
  if (!may_leave(request) || !peers_.provides(FunctionName(request.function()))) return otherwise;
  auto granted = ask_peers(request, ticket.deadline());
  if (granted || otherwise.code() == Code::kNotFound) return granted;
  spdlog::debug("task manager: no other cluster takes {}: {}", request.function(), granted.error().to_string());
  return otherwise;
}

Result<wire::LeaseGrant> TaskManager::ask_peers(wire::LeaseRequest request, Deadline deadline) {
  request.set_remaining_ms(static_cast<std::uint32_t>(deadline.left_millis()));
  TCFDL_ASSIGN(auto grant, peers_.lease(request, deadline));
  const std::scoped_lock lock(mutex_);
  scheduler_.remember_elsewhere(request, grant);
  return grant;
}

Result<wire::LeaseGrant> TaskManager::finish(Ticket& ticket) const {
  TCFDL_ASSIGN(const auto placed, ticket.take());
  const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(time_.steady() - ticket.since());
  wire::LeaseGrant grant;
  *grant.mutable_lease() = signer_.sign(placed.lease);
  *grant.mutable_master_certificate() = signer_.certificate();
  *grant.mutable_descriptor() = placed.policy->descriptor;
  grant.set_assurance(placed.policy->assurance);
  grant.set_cluster(settings_.cluster.str());
  grant.set_node(placed.instance->node.str());
  grant.set_instance(placed.instance->id.str());
  grant.set_tee_kind(placed.instance->tee_kind);
  const bool is_there = ticket.request().caller_node() == placed.instance->node.str();
  const auto& routes = is_there ? placed.instance->routes : placed.instance->far_routes;
  grant.mutable_routes()->Assign(routes.begin(), routes.end());
  grant.set_wait_us(static_cast<std::uint64_t>(waited.count()));
  return grant;
}

Result<std::shared_ptr<const FunctionPolicy>> TaskManager::policy(const FunctionName& name) const {
  const std::scoped_lock lock(mutex_);
  if (auto found = scheduler_.policy_of(name)) return found;
  return make_error(Code::kNotFound, "no function {} in this cluster", name);
}

bool TaskManager::resume(const wire::LeaseRequest& request, const InstanceId& instance) {
  const std::scoped_lock lock(mutex_);
  return scheduler_.resume(request, instance);
}

void TaskManager::handle_event(const wire::TaskEvent& event) {
  const std::scoped_lock lock(mutex_);
  scheduler_.handle_event(event);
}

void TaskManager::reconcile(const NodeId& node, const std::set<std::string>& running) {
  const std::scoped_lock lock(mutex_);
  scheduler_.reconcile(node, running);
}

void TaskManager::release(const std::string& lease_id) {
  {
    const std::scoped_lock lock(mutex_);
    scheduler_.release(lease_id);
  }
  tell_unaccepted();
}

void TaskManager::release(const wire::LeaseRelease& release) {
  if (!release.cluster().empty() && release.cluster() != settings_.cluster.str()) return peers_.release(release);
  this->release(release.lease_id());
}

void TaskManager::reclaim() {
  {
    const std::scoped_lock lock(mutex_);
    scheduler_.reclaim();
  }
  tell_unaccepted();
}

CodeCounts TaskManager::unleased_elsewhere() const {
  const std::scoped_lock lock(mutex_);
  return scheduler_.unleased_elsewhere();
}

std::vector<FunctionStats> TaskManager::stats() const {
  const std::scoped_lock lock(mutex_);
  return scheduler_.stats();
}

} // namespace tcfdl::task_manager
