// The part of the scheduler that follows leases from their grant to their end.
#include "base/log.hpp"
#include "base/trace_context.hpp"
#include "task_manager/scheduler.hpp"

#include <algorithm>

namespace tcfdl::task_manager {

ActiveLease* Scheduler::find_lease(const std::string& id) {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : found->second.get();
}

void Scheduler::open_lease(Function& function, Instance& instance, const Ticket& ticket, const wire::Lease& granted) {
  const auto now = time_.steady();
  auto owned = std::make_unique<ActiveLease>();
  auto& lease = *owned;
  lease.id = granted.lease_id();
  lease.burst = granted.burst_tasks() > 0;
  lease.function = &function;
  lease.instance = &instance;
  lease.task = ticket.request().task_id();
  if (const auto trace = TraceContext::parse(ticket.request().traceparent())) lease.trace = trace->trace_text();
  lease.from = ticket.request().caller_node();
  lease.bytes = ticket.request().body_size();
  lease.granted_at = now;
  lease.accept_by = now + settings_.accept_within;
  lease.end_by = std::max(now, ticket.until()) + settings_.grace;
  if (lease.burst) lease.end_by += settings_.burst_time;
  lease.timer = timers_.end();
  set_timer(lease);
  instance.leases.push_back(&lease);
  ++function.in_flight;
  function.pool.refresh(instance);
  if (lease.burst) {
    function.bursts.push_back(&lease);
  } else {
    lease.key = TaskHistory::key(ticket.request().caller(), ticket.request().task_id());
    history_.put(lease.key,
                 {.function = function.stats.function,
                  .cluster = {},
                  .instance = instance.info->id,
                  .incarnation = instance.incarnation,
                  .lease_id = lease.id},
                 std::max(now, ticket.until()) + settings_.retention);
  }
  leases_.emplace(lease.id, std::move(owned));
}

void Scheduler::set_timer(ActiveLease& lease) {
  if (lease.timer != timers_.end()) timers_.erase(lease.timer);
  lease.timer = timers_.emplace(lease.started ? lease.end_by : std::min(lease.accept_by, lease.end_by), &lease);
}

void Scheduler::drop(ActiveLease& lease) {
  auto& function = *lease.function;
  auto& instance = *lease.instance;
  timers_.erase(lease.timer);
  std::erase(instance.leases, &lease);
  std::erase(function.bursts, &lease);
  --function.in_flight;
  if (lease.started) --function.started;
  const auto id = std::move(lease.id);
  leases_.erase(id);
  function.pool.refresh(instance);
}

void Scheduler::end_lease(ActiveLease& lease) {
  auto& function = *lease.function;
  drop(lease);
  dispatch(function);
}

void Scheduler::handle_event(const wire::TaskEvent& event) {
  auto* lease = find_lease(event.lease_id());
  if (lease == nullptr) return;
  const auto& instance = lease->instance->info->id;
  if (!event.instance().empty() && event.instance() != instance.str()) {
    spdlog::warn("task manager: {} reported on a lease of {}", event.instance(), instance);
    return;
  }
  note_life(*lease);
  if (!lease->started && (event.started() || (event.done() && event.code() == 0))) {
    note_start(*lease);
    // A start that is told by itself shows how long the way was.
    const std::chrono::duration<double, std::micro> elapsed = lease->started_at - lease->granted_at;
    if (!event.done()) lease->instance->node->ways.learn(lease->from, lease->bytes, elapsed.count());
  }
  if (!event.done()) return;
  finish(*lease, event);
  end_lease(*lease);
}

void Scheduler::note_start(ActiveLease& lease) {
  lease.started = true;
  lease.started_at = time_.steady();
  ++lease.function->started;
  set_timer(lease);
  if (auto* record = history_.find(lease.key, lease.started_at)) record->started = true;
}

/// Whoever held the lease was not taken, or never came. While there are others, they take its tasks; one of them tries
/// it from time to time.
void Scheduler::note_silence(ActiveLease& lease) {
  auto& instance = *lease.instance;
  auto& silent = lease.function->silent;
  if (time_.steady() < instance.silent_until) return; // leases of the same time
  instance.silence = std::clamp(2 * instance.silence, settings_.accept_within, settings_.longest_silence);
  instance.silent_until = time_.steady() + instance.silence;
  if (std::ranges::find(silent, &instance) == silent.end()) silent.push_back(&instance);
}

void Scheduler::note_life(ActiveLease& lease) {
  auto& instance = *lease.instance;
  if (instance.silence.count() == 0) return;
  instance.silence = {};
  instance.silent_until = {};
  std::erase(lease.function->silent, &instance);
}

void Scheduler::reconcile(const NodeId& node, const std::set<std::string>& running) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  std::vector<std::string> lost;
  for (const auto* instance : found->second.instances) {
    for (auto* lease : instance->leases) {
      const bool runs = running.contains(lease->id);
      if (runs && !lease->started) note_start(*lease);
      // A start may be heard of before a heartbeat that was written earlier.
      const bool is_over = lease->started && time_.steady() - lease->started_at >= settings_.report_within;
      if (!runs && is_over) lost.push_back(lease->id);
    }
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
  for (const auto& run : event.runs()) count(lease, run);
  if (lease.burst) return;
  wire::TaskRun run;
  run.set_code(event.code());
  run.set_run_us(event.run_us());
  *run.mutable_traffic() = event.traffic();
  count(lease, run);
}

void Scheduler::count(const ActiveLease& lease, const wire::TaskRun& run) {
  auto& function = *lease.function;
  ++function.stats.done[run.code() < kCodes ? run.code() : static_cast<std::size_t>(Code::kUnknown)];
  const auto way = std::ranges::find(kWays, run.traffic().way());
  auto& traffic = way == kWays.end() ? function.stats.traffic.back()
                                     : function.stats.traffic.at(static_cast<std::size_t>(way - kWays.begin()));
  traffic.bodies += run.traffic().body();
  traffic.results += run.traffic().result();
  if (run.run_us() == 0) return;
  const auto sample = static_cast<double>(run.run_us());
  function.stats.runs.add(sample / 1e6);
  if (run.code() != 0) return;
  function.pool.learn(*lease.instance, sample, time_.steady());
  function.times.add(sample);
}

void Scheduler::release(const std::string& lease_id) {
  auto* lease = find_lease(lease_id);
  if (lease != nullptr && lease->started) return;
  if (lease != nullptr) {
    unaccepted_.push_back(lease->instance->info->node);
    history_.erase(lease->key);
    return end_lease(*lease);
  }
  const auto key = history_.key_of_lease(lease_id); // its instance went first
  const auto* record = key.empty() ? nullptr : history_.find(key, time_.steady());
  if (record != nullptr && record->may_have_started) history_.erase(key);
}

void Scheduler::reclaim() {
  const auto now = time_.steady();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    auto& lease = *timers_.begin()->second;
    ++lease.function->stats.reclaimed;
    const LogScope scope(lease.subject());
    spdlog::warn("task manager: the lease of {} ended without a report", lease.instance->info->id);
    if (!lease.started) {
      history_.erase(lease.key);
      unaccepted_.push_back(lease.instance->info->node);
      note_silence(lease);
    }
    end_lease(lease);
  }
}

} // namespace tcfdl::task_manager
