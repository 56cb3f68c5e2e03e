#include "node/master_scaling.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace tcfdl::node {
namespace {

/// What the task manager and the nodes say of a function. A woken one has a task that may not be in its queue yet.
task_manager::FunctionLoad load_of(const FunctionName& name, const instance_manager::ClusterView& view,
                                   const std::vector<task_manager::FunctionStats>& stats, bool woken) {
  task_manager::FunctionLoad load;
  if (const auto found = std::ranges::find(stats, name, &task_manager::FunctionStats::function); found != stats.end()) {
    load.in_flight = found->in_flight;
    load.waiting = found->waiting;
    load.ended = found->ended();
    load.service_us = found->service_us;
  }
  if (woken) load.waiting = std::max<std::size_t>(load.waiting, 1);
  const auto& functions = view.functions;
  const auto found = std::ranges::find(functions, name, &instance_manager::FunctionView::function);
  if (found == functions.end()) return load;
  load.ready = found->ready;
  load.failing = found->ready == 0 && !found->problem.empty();
  return load;
}

std::size_t spare_of(const FunctionName& name, const instance_manager::ClusterView& view) {
  const auto& functions = view.functions;
  const auto found = std::ranges::find(functions, name, &instance_manager::FunctionView::function);
  return found == functions.end() ? 0 : found->warm.size();
}

} // namespace

void MasterScaling::start() {
  thread_ = std::thread([this] { loop(); });
}

void MasterScaling::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::size_t MasterScaling::set_function(const FunctionName& name, const task_manager::ScaleBounds& bounds,
                                        unsigned concurrency) {
  const std::scoped_lock lock(mutex_);
  auto& function = functions_.try_emplace(name, settings_, Clock::now()).first->second;
  function.concurrency = std::max(1U, concurrency);
  auto& view = function.view;
  view.bounds = bounds;
  view.wanted = std::clamp<std::size_t>(view.wanted, bounds.min, bounds.max);
  return view.wanted;
}

void MasterScaling::remove_function(const FunctionName& name) {
  const std::scoped_lock lock(mutex_);
  functions_.erase(name);
}

void MasterScaling::wake(const FunctionName& name) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = functions_.find(name);
    if (found == functions_.end()) return;
    const auto& view = found->second.view;
    // One that wants instances has them on their way, unless some stand ready.
    if (view.wanted > 0 && (view.spare == 0 || view.wanted >= view.bounds.max)) return;
    if (!woken_.insert(name).second) return;
  }
  wake_.notify_all();
}

void MasterScaling::loop() {
  auto next = Clock::now() + settings_.interval;
  for (;;) {
    std::set<FunctionName> woken;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, next, [this] { return stopping_ || !woken_.empty(); });
      if (stopping_) return;
      woken.swap(woken_);
    }
    decide(woken);
    if (woken.empty()) next = Clock::now() + settings_.interval;
  }
}

/// Of those that were woken or, when none was, of all.
void MasterScaling::decide(const std::set<FunctionName>& woken) {
  std::set<FunctionName> names = woken;
  if (names.empty()) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, function] : functions_) names.insert(name);
  }
  if (names.empty()) return;
  const auto stats = tasks_.stats();
  const auto instances = instances_.view();
  for (const auto& name : names) {
    const bool wakes = woken.contains(name);
    decide(name, load_of(name, instances, stats, wakes), spare_of(name, instances), wakes);
  }
}

void MasterScaling::decide(const FunctionName& name, task_manager::FunctionLoad load, std::size_t spare, bool woken) {
  std::size_t keep = 0;
  std::size_t wanted = 0;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = functions_.find(name);
    if (found == functions_.end()) return;
    auto& function = found->second;
    load.concurrency = function.concurrency;
    const auto now = Clock::now();
    const auto before = function.view.wanted;
    const auto taken = woken ? std::min(load.waiting, spare) : 0;
    if (taken > 0) function.scaler.raise(before + taken, now);
    auto decision = function.scaler.decide(function.view.bounds, load, now);
    wanted = decision.wanted;
    if (wanted != function.view.wanted) {
      spdlog::info("scaling: {} from {} to {} instances: {}", name, function.view.wanted, wanted, decision.why);
    }
    // Until the nodes have told what runs.
    if (now - function.created < settings_.stable_window) keep = function.view.bounds.max;
    function.view.wanted = wanted;
    function.view.spare = spare - std::min(spare, wanted - std::min(wanted, before));
    function.view.why = std::move(decision.why);
    function.view.rate = decision.rate;
  }
  const auto set = instances_.set_scale(name, wanted, keep);
  if (!set) spdlog::debug("scaling: {}", set.error().message());
}

std::map<FunctionName, ScalingView> MasterScaling::view() const {
  const std::scoped_lock lock(mutex_);
  std::map<FunctionName, ScalingView> result;
  for (const auto& [name, function] : functions_) result[name] = function.view;
  return result;
}

} // namespace tcfdl::node
