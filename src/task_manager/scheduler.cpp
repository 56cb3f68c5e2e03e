#include "task_manager/scheduler.hpp"

#include <algorithm>
#include <cmath>

namespace tcfdl::task_manager {
namespace {

std::string key_of(const wire::LeaseRequest& request) { return TaskHistory::key(request.caller(), request.task_id()); }

bool excludes(const wire::LeaseRequest& request, const InstanceId& instance) {
  return std::ranges::find(request.exclude(), instance.str()) != request.exclude().end();
}

Error lost_after_start(const TaskRecord& record) {
  return make_error(
      Code::kUnavailable,
      "instance lost after start: {} was running this task, had run it or was about to when it ended, and the "
      "function {} is not declared idempotent; decide whether to send the task again under a new id",
      record.instance, record.function);
}

std::size_t limit_of(const FunctionPolicy& policy) {
  return policy.queue_limit == 0 ? kDefaultQueueLimit : policy.queue_limit;
}

std::string as_text(std::chrono::milliseconds wait) {
  return wait < std::chrono::seconds(1) ? fmt::format("{} ms", wait.count())
                                        : fmt::format("{:.1f} s", static_cast<double>(wait.count()) / 1000);
}

} // namespace

std::chrono::milliseconds retry_after(std::size_t waiting, double service_us, std::size_t slots) {
  if (slots == 0 || service_us <= 0) return std::chrono::milliseconds(1000);
  const auto millis = static_cast<double>(waiting) / 2 * service_us / static_cast<double>(slots) / 1000;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(std::clamp(millis, 10.0, 60'000.0))));
}

Scheduler::Scheduler(const TaskManagerSettings& settings, const TimeSource& time)
    : settings_(settings), time_(time), claims_(settings.callers), history_(settings.max_remembered) {}

Scheduler::~Scheduler() = default;

Scheduler::Function* Scheduler::find_function(const FunctionName& name) {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

Instance* Scheduler::find_instance(const InstanceId& id) {
  const auto found = instances_.find(id);
  return found == instances_.end() ? nullptr : found->second;
}

void Scheduler::set_function(FunctionPolicy policy) {
  auto& function = functions_.try_emplace(policy.name, settings_).first->second;
  function.stats.function = policy.name;
  const auto version = policy.version;
  function.serving = version;
  function.pool.set_serving(version, policy.concurrency);
  function.policies[version] = std::make_shared<const FunctionPolicy>(std::move(policy));
  std::erase_if(function.policies, [&](const auto& each) {
    return each.first != version && each.first != function.candidate && !function.pool.has_version(each.first);
  });
  dispatch(function);
}

void Scheduler::set_candidate(FunctionPolicy policy) {
  auto* function = find_function(policy.name);
  if (function == nullptr || function->policies.empty()) return;
  const auto version = policy.version;
  function->candidate = version;
  function->policies[version] = std::make_shared<const FunctionPolicy>(std::move(policy));
}

void Scheduler::remove_function(const FunctionName& name) {
  auto* function = find_function(name);
  if (function == nullptr) return;
  function->queue.offer([&](Ticket& ticket) {
    ticket.settle(make_error(Code::kNotFound, "the function {} was removed", name));
    return Queue::Answer::kGone;
  });
  function->policies.clear();
  tidy(name);
}

void Scheduler::tidy(const FunctionName& name) {
  const auto found = functions_.find(name);
  if (found->second.policies.empty() && found->second.pool.size() == 0) functions_.erase(found);
}

void Scheduler::set_instance(InstanceInfo info) {
  auto shared = std::make_shared<const InstanceInfo>(std::move(info));
  auto& node = nodes_[shared->node];
  if (auto* known = find_instance(shared->id); known != nullptr && known->info->function == shared->function) {
    auto& function = *find_function(shared->function);
    function.pool.update(*known, std::move(shared), node);
    dispatch(function);
    return;
  }
  remove_instance(shared->id);
  auto& function = functions_.try_emplace(shared->function, settings_).first->second;
  function.stats.function = shared->function;
  const auto id = shared->id;
  auto& instance = function.pool.add(std::move(shared), node);
  instance.incarnation = ++incarnations_;
  instances_[id] = &instance;
  dispatch(function);
}

void Scheduler::drain_instance(const InstanceId& id) {
  auto* instance = find_instance(id);
  if (instance == nullptr) return;
  auto& function = *find_function(instance->info->function);
  function.pool.drain(*instance);
  dispatch(function);
}

void Scheduler::remove_instance(const InstanceId& id) {
  auto* instance = find_instance(id);
  if (instance == nullptr) return;
  const auto name = instance->info->function;
  auto& function = *find_function(name);
  while (!instance->leases.empty()) {
    auto& lease = *instance->leases.back();
    if (lease.started) {
      const LogScope scope(lease.subject());
      spdlog::warn("task manager: lost with {}", id);
      ++function.stats.lost;
    }
    auto* record = lease.started ? nullptr : history_.find(lease.key, time_.steady());
    if (record != nullptr) record->may_have_started = true;
    drop(lease);
  }
  instances_.erase(id);
  std::erase(function.silent, instance);
  function.pool.remove(*instance);
  dispatch(function);
  tidy(name);
}

void Scheduler::set_problem(const FunctionName& name, std::string problem) {
  if (auto* function = find_function(name)) function->problem = std::move(problem);
}

bool Scheduler::has_tasks(const InstanceId& id) const {
  const auto found = instances_.find(id);
  return found != instances_.end() && !found->second->leases.empty();
}

Standing Scheduler::attempt(Ticket& ticket) {
  if (ticket.request().cluster().empty() && !cluster_of(ticket.request()).empty()) return Standing::kElsewhere;
  auto* function = find_function(FunctionName(ticket.request().function()));
  if (function == nullptr || function->policies.empty()) return Standing::kNoFunction;
  if (place(*function, ticket)) return Standing::kSettled;
  return function->pool.has_ready() ? Standing::kBusy : Standing::kNoInstance;
}

Status Scheduler::enqueue(Ticket& ticket) {
  auto& function = *find_function(FunctionName(ticket.request().function()));
  const auto pushed = function.queue.push(ticket, claims_.of(ticket.request()), limit_of(function.policy()));
  if (pushed.taken && !function.pool.has_ready()) ++function.stats.cold;
  if (pushed.taken && pushed.displaced == nullptr) return {};
  ++function.stats.refused;
  if (!pushed.taken) return full(function, "");
  pushed.displaced->settle(full(function, ", and others have less than their share of it"));
  return {};
}

Error Scheduler::full(const Function& function, std::string_view more) const {
  const auto waiting = function.queue.size();
  const auto wait = retry_after(waiting, function.pool.service_us(), function.pool.slots());
  auto error = make_error(Code::kResourceExhausted, "the queue of {} is full ({} waiting){}; try again in {}",
                          function.policy().name, waiting, more, as_text(wait));
  error.set_retry_after(wait);
  return error;
}

void Scheduler::abandon(Ticket& ticket, Error error) {
  if (ticket.settled()) return;
  find_function(FunctionName(ticket.request().function()))->queue.remove(ticket);
  ticket.settle(std::move(error));
}

std::vector<Recall> Scheduler::recalls(const Ticket& ticket) {
  std::vector<Recall> recalls;
  auto* function = find_function(FunctionName(ticket.request().function()));
  if (function == nullptr) return recalls;
  auto wanted = function->queue.size();
  for (auto* lease : function->bursts) {
    if (wanted-- == 0) break;
    if (std::exchange(lease->recalled, true)) continue;
    const auto& info = *lease->instance->info;
    recalls.push_back({info.node, info.id, lease->id});
  }
  return recalls;
}

Error Scheduler::overdue(const Ticket& ticket) const {
  const auto found = functions_.find(FunctionName(ticket.request().function()));
  const std::string problem = found == functions_.end() ? std::string() : found->second.problem;
  if (found != functions_.end() && !found->second.pool.has_ready()) {
    return make_error(Code::kUnavailable, "no instance of {} became ready before the deadline{}",
                      ticket.request().function(),
                      problem.empty() ? "; see the state of its instances" : ": " + problem);
  }
  return Deadline::exceeded(fmt::format("the wait for a free instance of {}{}", ticket.request().function(),
                                        problem.empty() ? "" : ", and no more of them start: " + problem));
}

void Scheduler::abandon_all(const Error& error) {
  for (auto& [name, function] : functions_) {
    function.queue.offer([&](Ticket& ticket) {
      ticket.settle(error);
      return Queue::Answer::kGone;
    });
  }
}

ClusterId Scheduler::cluster_of(const wire::LeaseRequest& request) {
  const auto* known = history_.find(key_of(request), time_.steady());
  return known == nullptr || excludes(request, known->instance) ? ClusterId() : known->cluster;
}

void Scheduler::remember_elsewhere(const wire::LeaseRequest& request, const wire::LeaseGrant& grant) {
  history_.put(key_of(request),
               {.function = FunctionName(request.function()),
                .cluster = ClusterId(grant.cluster()),
                .instance = InstanceId(grant.instance()),
                .lease_id = {}},
               time_.steady() + settings_.retention);
}

Ask Scheduler::ask_of(const Function& function, const wire::LeaseRequest& request) {
  Ask ask;
  ask.from = request.caller_node();
  ask.bytes = request.body_size();
  ask.now = time_.steady();
  if (!ask.from.empty()) {
    const auto node = nodes_.find(NodeId(ask.from));
    if (node != nodes_.end()) ask.caller_node = &node->second;
  }
  for (const auto& id : request.exclude()) {
    auto* instance = find_instance(InstanceId(id));
    if (instance == nullptr || instance->info->function != function.stats.function) continue;
    if (std::ranges::find(ask.excluded, instance) == ask.excluded.end()) ask.excluded.push_back(instance);
  }
  for (auto* instance : function.silent) {
    const bool avoided = ask.now < instance->silent_until && !instance->draining;
    if (avoided && std::ranges::find(ask.excluded, instance) == ask.excluded.end()) ask.excluded.push_back(instance);
  }
  return ask;
}

/// A task that was leased before meets its first run or learns that it is lost; false if it may be placed afresh.
bool Scheduler::settle_known(Function& function, Ticket& ticket) {
  const auto* record = history_.find(key_of(ticket.request()), time_.steady());
  if (record == nullptr || !record->cluster.empty()) return false;
  if (record->function.str() != ticket.request().function()) {
    ticket.settle(make_error(Code::kAlreadyExists, "the task id {} was used for the function {} before",
                             ticket.request().task_id(), record->function));
    return true;
  }
  const bool idempotent = function.policy().idempotent;
  const auto* instance = find_instance(record->instance);
  if (instance == nullptr || instance->incarnation != record->incarnation) {
    if (idempotent || !(record->started || record->may_have_started)) return false;
    ticket.settle(lost_after_start(*record));
    return true;
  }
  if ((idempotent || !record->started) && excludes(ticket.request(), record->instance)) return false;
  auto* lease = find_lease(record->lease_id);
  auto placed = grant(function, *instance, ticket, lease == nullptr ? make_uuid() : record->lease_id);
  if (lease != nullptr) {
    lease->accept_by = time_.steady() + settings_.accept_within;
    set_timer(*lease);
  }
  ticket.settle(std::move(placed));
  return true;
}

bool Scheduler::place(Function& function, Ticket& ticket) {
  if (settle_known(function, ticket)) return true;
  if (!function.pool.has_free()) return false;
  auto* instance = function.pool.choose(ask_of(function, ticket.request()));
  if (instance == nullptr) return false;
  auto placed = grant(function, *instance, ticket, make_uuid());
  if (may_burst(function, ticket.request())) {
    placed.lease.clear_task_id();
    placed.lease.set_burst_tasks(settings_.burst_tasks);
    placed.lease.set_burst_ms(static_cast<std::uint32_t>(settings_.burst_time.count()));
  }
  open_lease(function, *instance, ticket, placed.lease);
  function.stats.waits.add(std::chrono::duration<double>(time_.steady() - ticket.since()).count());
  ticket.settle(std::move(placed));
  return true;
}

/// Who waits, waits for single tasks: a ticket that comes from the queue is in it still.
bool Scheduler::may_burst(const Function& function, const wire::LeaseRequest& request) const {
  return request.burst() && settings_.burst_tasks > 0 && function.policy().bursts && function.queue.size() == 0;
}

Placed Scheduler::grant(const Function& function, const Instance& instance, const Ticket& ticket,
                        std::string lease_id) {
  Placed placed;
  placed.instance = instance.info;
  const auto policy = function.policies.find(instance.info->version);
  placed.policy = policy == function.policies.end() ? function.policies.at(function.serving) : policy->second;
  auto& lease = placed.lease;
  lease.set_lease_id(std::move(lease_id));
  lease.set_task_id(ticket.request().task_id());
  lease.set_function(ticket.request().function());
  lease.set_instance(instance.info->id.str());
  lease.set_caller_key(ticket.request().caller_key());
  lease.set_expires_ms(time_.unix_millis() + settings_.accept_within.count());
  lease.set_cluster(settings_.cluster.str());
  lease.set_presented(ticket.request().presented());
  return placed;
}

void Scheduler::dispatch(Function& function) {
  if (function.policies.empty() || function.queue.size() == 0) return;
  function.queue.offer([&](Ticket& ticket) {
    if (!function.pool.has_free()) return Queue::Answer::kEnough;
    if (ticket.until() <= time_.steady()) {
      ticket.settle(overdue(ticket));
      return Queue::Answer::kGone;
    }
    return place(function, ticket) ? Queue::Answer::kTaken : Queue::Answer::kLeft;
  });
}

void Scheduler::note_unleased(const FunctionName& name, Code code) {
  auto* function = find_function(name);
  ++(function == nullptr ? unleased_elsewhere_ : function->stats.unleased).at(static_cast<std::size_t>(code));
}

std::vector<FunctionStats> Scheduler::stats() const {
  std::vector<FunctionStats> result;
  for (const auto& [name, function] : functions_) {
    auto stats = function.stats;
    stats.instances = function.pool.size();
    stats.waiting = function.queue.size();
    stats.median_us = function.times.median();
    stats.in_flight = function.in_flight;
    stats.bursts = function.bursts.size();
    stats.started = function.started;
    stats.service_us = function.pool.service_us();
    result.push_back(std::move(stats));
  }
  std::ranges::sort(result, {}, &FunctionStats::function);
  return result;
}

} // namespace tcfdl::task_manager
