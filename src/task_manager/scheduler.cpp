#include "task_manager/scheduler.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace tcfdl::task_manager {
namespace {

std::string key_of(const wire::LeaseRequest& request) { return TaskHistory::key(request.caller(), request.task_id()); }

bool excludes(const wire::LeaseRequest& request, const InstanceId& instance) {
  return std::ranges::find(request.exclude(), instance.str()) != request.exclude().end();
}

Error lost_after_start(const TaskRecord& record) {
  return make_error(Code::kUnavailable,
                    "instance lost after start: {} was running or had run this task when it ended, and the function {} "
                    "is not declared idempotent; decide whether to send the task again under a new id",
                    record.instance, record.function);
}

} // namespace

Scheduler::~Scheduler() = default;

Scheduler::Function* Scheduler::find_function(const FunctionName& name) {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

Scheduler::Instance* Scheduler::find_instance(const InstanceId& id) {
  const auto found = instances_.find(id);
  return found == instances_.end() ? nullptr : found->second;
}

void Scheduler::set_function(FunctionPolicy policy) {
  auto& function = functions_[policy.name];
  function.stats.function = policy.name;
  const auto version = policy.version;
  function.policies[version] = std::make_shared<const FunctionPolicy>(std::move(policy));
  std::erase_if(function.policies, [&](const auto& each) {
    const auto is_of = [&](const auto& instance) { return instance->info->version == each.first; };
    return each.first > version || (each.first < version && std::ranges::none_of(function.instances, is_of));
  });
  dispatch(function);
}

void Scheduler::remove_function(const FunctionName& name) {
  auto* function = find_function(name);
  if (function == nullptr) return;
  function->queue.offer([&](Ticket& ticket) {
    ticket.settle(make_error(Code::kNotFound, "the function {} was removed", name));
    return Queue::Answer::kTaken;
  });
  function->policies.clear();
  tidy(name);
}

void Scheduler::tidy(const FunctionName& name) {
  const auto found = functions_.find(name);
  if (found->second.policies.empty() && found->second.instances.empty()) functions_.erase(found);
}

void Scheduler::set_instance(InstanceInfo info) {
  auto shared = std::make_shared<const InstanceInfo>(std::move(info));
  if (auto* known = find_instance(shared->id); known != nullptr && known->info->function == shared->function) {
    known->info = std::move(shared);
    known->draining = false;
    dispatch(*find_function(known->info->function));
    return;
  }
  remove_instance(shared->id);
  auto& function = functions_[shared->function];
  function.stats.function = shared->function;
  auto instance = std::make_unique<Instance>();
  instance->incarnation = ++incarnations_;
  instances_[shared->id] = instance.get();
  instance->info = std::move(shared);
  function.instances.push_back(std::move(instance));
  dispatch(function);
}

void Scheduler::drain_instance(const InstanceId& id) {
  auto* instance = find_instance(id);
  if (instance == nullptr) return;
  instance->draining = true;
  dispatch(*find_function(instance->info->function));
}

void Scheduler::remove_instance(const InstanceId& id) {
  auto* instance = find_instance(id);
  if (instance == nullptr) return;
  const auto name = instance->info->function;
  auto& function = *find_function(name);
  for (auto at = leases_.begin(); at != leases_.end();) {
    const auto lease = at++;
    if (lease->second.instance != id) continue;
    if (lease->second.started) ++function.stats.lost;
    if (!lease->second.started) history_.erase(lease->second.key);
    leases_.erase(lease);
  }
  instances_.erase(id);
  std::erase_if(function.instances, [&](const auto& each) { return each.get() == instance; });
  dispatch(function);
  tidy(name);
}

void Scheduler::set_problem(const FunctionName& name, std::string problem) {
  if (auto* function = find_function(name)) function->problem = std::move(problem);
}

bool Scheduler::has_tasks(const InstanceId& id) const {
  const auto found = instances_.find(id);
  return found != instances_.end() && found->second->in_flight > 0;
}

Standing Scheduler::attempt(Ticket& ticket) {
  if (ticket.request().cluster().empty() && !cluster_of(ticket.request()).empty()) return Standing::kElsewhere;
  auto* function = find_function(FunctionName(ticket.request().function()));
  if (function == nullptr || function->policies.empty()) return Standing::kNoFunction;
  if (place(*function, ticket)) return Standing::kSettled;
  return std::ranges::all_of(function->instances, &Instance::draining) ? Standing::kNoInstance : Standing::kBusy;
}

Status Scheduler::enqueue(Ticket& ticket) {
  auto& function = *find_function(FunctionName(ticket.request().function()));
  const auto asked = function.policy().queue_limit;
  if (function.queue.push(ticket, asked == 0 ? kDefaultQueueLimit : asked)) return {};
  ++function.stats.refused;
  return make_error(Code::kResourceExhausted, "the queue of {} is full ({} waiting); try again later",
                    function.policy().name, function.queue.size());
}

void Scheduler::abandon(Ticket& ticket, Error error) {
  if (ticket.settled()) return;
  find_function(FunctionName(ticket.request().function()))->queue.remove(ticket);
  ticket.settle(std::move(error));
}

Error Scheduler::overdue(const Ticket& ticket) const {
  const auto found = functions_.find(FunctionName(ticket.request().function()));
  const std::string problem = found == functions_.end() ? std::string() : found->second.problem;
  if (found != functions_.end() && std::ranges::all_of(found->second.instances, &Instance::draining)) {
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
      return Queue::Answer::kTaken;
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

bool Scheduler::has_free_slot(const Function& function) {
  return std::ranges::any_of(function.instances, [&](const auto& instance) {
    return !instance->draining && instance->in_flight < concurrency_of(function);
  });
}

/// Among the instances of the newest version that is there.
Scheduler::Instance* Scheduler::choose_instance(Function& function, const wire::LeaseRequest& request) {
  std::uint64_t newest = 0;
  for (const auto& instance : function.instances) {
    if (!instance->draining) newest = std::max(newest, instance->info->version);
  }
  std::vector<Candidate> candidates;
  std::vector<Instance*> instances;
  for (const auto& instance : function.instances) {
    if (instance->draining || instance->info->version != newest) continue;
    instances.push_back(instance.get());
    candidates.push_back({.in_flight = instance->in_flight,
                          .concurrency = concurrency_of(function),
                          .service_us = instance->service_us,
                          .excluded = excludes(request, instance->info->id)});
  }
  const auto chosen = choose(candidates, function.turn);
  if (!chosen) return nullptr;
  function.turn = *chosen + 1;
  return instances[*chosen];
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
  const bool may_run_again = !record->started || function.policy().idempotent;
  const auto* instance = find_instance(record->instance);
  if (instance == nullptr || instance->incarnation != record->incarnation) {
    if (may_run_again) return false;
    ticket.settle(lost_after_start(*record));
    return true;
  }
  if (may_run_again && excludes(ticket.request(), record->instance)) return false;
  const auto lease = leases_.find(record->lease_id);
  auto placed = grant(function, *instance, ticket, lease == leases_.end() ? make_uuid() : record->lease_id);
  if (lease != leases_.end()) lease->second.accept_by = time_.steady() + settings_.accept_within;
  ticket.settle(std::move(placed));
  return true;
}

bool Scheduler::place(Function& function, Ticket& ticket) {
  if (settle_known(function, ticket)) return true;
  auto* instance = choose_instance(function, ticket.request());
  if (instance == nullptr) return false;
  const auto key = key_of(ticket.request());
  auto placed = grant(function, *instance, ticket, make_uuid());
  const auto now = time_.steady();
  leases_[placed.lease.lease_id()] = {.key = key,
                                      .function = function.stats.function,
                                      .instance = instance->info->id,
                                      .started_at = {},
                                      .accept_by = now + settings_.accept_within,
                                      .end_by = now + ticket.deadline().left() + settings_.grace};
  history_.put(key,
               {.function = function.stats.function,
                .cluster = {},
                .instance = instance->info->id,
                .incarnation = instance->incarnation,
                .lease_id = placed.lease.lease_id()},
               now + ticket.deadline().left() + settings_.retention);
  ++instance->in_flight;
  ticket.settle(std::move(placed));
  return true;
}

Placed Scheduler::grant(const Function& function, const Instance& instance, const Ticket& ticket,
                        std::string lease_id) {
  Placed placed;
  placed.instance = instance.info;
  const auto policy = function.policies.find(instance.info->version);
  placed.policy = policy == function.policies.end() ? function.policies.rbegin()->second : policy->second;
  auto& lease = placed.lease;
  lease.set_lease_id(std::move(lease_id));
  lease.set_task_id(ticket.request().task_id());
  lease.set_function(ticket.request().function());
  lease.set_instance(instance.info->id.str());
  lease.set_caller_key(ticket.request().caller_key());
  lease.set_expires_ms(time_.unix_millis() + settings_.accept_within.count());
  lease.set_cluster(settings_.cluster.str());
  return placed;
}

void Scheduler::dispatch(Function& function) {
  if (function.policies.empty()) return;
  function.queue.offer([&](Ticket& ticket) {
    if (!has_free_slot(function)) return Queue::Answer::kEnough;
    return place(function, ticket) ? Queue::Answer::kTaken : Queue::Answer::kLeft;
  });
}

void Scheduler::end_lease(Leases::iterator lease) {
  auto* instance = find_instance(lease->second.instance);
  auto* function = find_function(lease->second.function);
  leases_.erase(lease);
  if (instance == nullptr || function == nullptr) return;
  --instance->in_flight;
  dispatch(*function);
}

void Scheduler::handle_event(const wire::TaskEvent& event) {
  const auto found = leases_.find(event.lease_id());
  if (found == leases_.end()) return;
  auto& lease = found->second;
  if (!event.instance().empty() && event.instance() != lease.instance.str()) {
    spdlog::warn("task manager: {} reported on a lease of {}", event.instance(), lease.instance);
    return;
  }
  if (!lease.started && (event.started() || (event.done() && event.code() == 0))) note_start(lease);
  if (!event.done()) return;
  finish(lease, event);
  end_lease(found);
}

void Scheduler::note_start(ActiveLease& lease) {
  lease.started = true;
  lease.started_at = time_.steady();
  if (auto* record = history_.find(lease.key, lease.started_at)) record->started = true;
}

void Scheduler::reconcile(const NodeId& node, const std::set<std::string>& running) {
  std::vector<std::string> lost;
  for (auto& [id, lease] : leases_) {
    const auto* instance = find_instance(lease.instance);
    if (instance == nullptr || instance->info->node != node) continue;
    const bool runs = running.contains(id);
    if (runs && !lease.started) note_start(lease);
    // A start may be heard of before a heartbeat that was written earlier.
    if (!runs && lease.started && time_.steady() - lease.started_at >= settings_.report_within) lost.push_back(id);
  }
  for (const auto& id : lost) {
    wire::TaskEvent ended;
    ended.set_lease_id(id);
    ended.set_done(true);
    ended.set_code(static_cast<std::uint32_t>(Code::kUnknown));
    handle_event(ended);
  }
}

/// Counts an outcome. A task that was refused before its start may be placed again.
void Scheduler::finish(const ActiveLease& lease, const wire::TaskEvent& event) {
  if (!lease.started && event.code() != 0) history_.erase(lease.key);
  auto* function = find_function(lease.function);
  auto* instance = find_instance(lease.instance);
  if (function == nullptr || instance == nullptr) return;
  ++function->stats.done[event.code() < kCodes ? event.code() : static_cast<std::size_t>(Code::kUnknown)];
  if (event.code() != 0 || event.run_us() == 0) return;
  const auto sample = static_cast<double>(event.run_us());
  instance->service_us = moving_average(instance->service_us, sample);
  function->stats.service_us = moving_average(function->stats.service_us, sample);
  function->times.add(sample);
}

void Scheduler::release(const std::string& lease_id) {
  const auto found = leases_.find(lease_id);
  if (found == leases_.end() || found->second.started) return;
  history_.erase(found->second.key);
  end_lease(found);
}

void Scheduler::reclaim() {
  const auto now = time_.steady();
  std::vector<std::string> over;
  for (const auto& [id, lease] : leases_) {
    if (now >= lease.end_by || (!lease.started && now >= lease.accept_by)) over.push_back(id);
  }
  for (const auto& id : over) {
    const auto found = leases_.find(id);
    if (auto* function = find_function(found->second.function)) ++function->stats.reclaimed;
    if (!found->second.started) history_.erase(found->second.key);
    end_lease(found);
  }
}

std::vector<FunctionStats> Scheduler::stats() const {
  std::vector<FunctionStats> result;
  for (const auto& [name, function] : functions_) {
    auto stats = function.stats;
    stats.instances = function.instances.size();
    stats.waiting = function.queue.size();
    stats.median_us = function.times.median();
    for (const auto& instance : function.instances) stats.in_flight += instance->in_flight;
    stats.started = static_cast<std::size_t>(std::ranges::count_if(
        leases_, [&](const auto& lease) { return lease.second.started && lease.second.function == name; }));
    result.push_back(std::move(stats));
  }
  std::ranges::sort(result, {}, &FunctionStats::function);
  return result;
}

} // namespace tcfdl::task_manager
