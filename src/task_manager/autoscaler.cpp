#include "task_manager/autoscaler.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tcfdl::task_manager {
namespace {

double seconds_of(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// What one instance should have of tasks in flight and waiting.
double target_of(const AutoscalingSettings& settings, const FunctionLoad& load) {
  return std::max(1U, load.concurrency) * settings.target_utilisation / 100.0;
}

/// Averages are sums of many parts: what is a whole number but for them is not rounded up.
double instances_for(double load, double target) { return std::ceil(load / target - 1e-9); }

std::string bounded(const ScaleBounds& bounds, double wanted) {
  if (wanted > bounds.max) return fmt::format("; {} but for max", wanted);
  if (wanted < bounds.min) return "; kept at min";
  return {};
}

} // namespace

double predicted_wait(double offered, double slots, double service) {
  const auto utilisation = offered / slots;
  if (utilisation >= 1) return std::numeric_limits<double>::infinity();
  return service * std::pow(utilisation, std::sqrt(2 * (slots + 1)) - 1) / (slots * (1 - utilisation));
}

Autoscaler::Autoscaler(const AutoscalingSettings& settings, TimePoint now)
    : settings_(settings), created_(now), load_(std::max(settings.stable_window, settings.panic_window), now),
      ended_(settings.panic_window, now), last_(now), last_active_(now) {}

ScaleDecision Autoscaler::decide(const ScaleBounds& bounds, const FunctionLoad& load, TimePoint now) {
  record(load, now);
  auto choice = by_utilisation(load, now);
  respect_response_time(choice, bounds, load, now);
  respect_start(choice, load, now);
  if (load.failing && choice.wanted > static_cast<double>(std::max<std::size_t>(wanted_, 1))) {
    choice = {static_cast<double>(std::max<std::size_t>(wanted_, 1)), "instances do not start: no more are tried"};
  }
  const auto wanted = std::clamp<double>(choice.wanted, bounds.min, bounds.max);
  if (bounds.min != bounds.max) choice.why += bounded(bounds, choice.wanted);
  if (bounds.min == bounds.max) choice.why = "min and max are the same";
  wanted_ = static_cast<std::size_t>(wanted);
  return {wanted_, std::move(choice.why), ended_rate(now)};
}

void Autoscaler::raise(std::size_t wanted, TimePoint now) {
  if (!panic_) panic_peak_ = 0;
  panic_ = now;
  panic_peak_ = std::max(panic_peak_, static_cast<double>(wanted));
}

void Autoscaler::record(const FunctionLoad& load, TimePoint now) {
  const auto ended = load.ended - std::min(load.ended, last_ended_.value_or(load.ended));
  const auto span = seconds_of(now - last_);
  auto tasks = static_cast<double>(load.in_flight + load.waiting);
  if (tasks > 0 || ended > 0) last_active_ = now;
  if (span <= 0) return;
  // Tasks that came and went between two looks: Little's law.
  tasks = std::max(tasks, static_cast<double>(ended) * load.service_us / 1e6 / span);
  load_.add(tasks, now);
  ended_.add(static_cast<double>(ended) / span, now);
  last_ = now;
  last_ended_ = load.ended;
}

Autoscaler::Choice Autoscaler::by_utilisation(const FunctionLoad& load, TimePoint now) {
  const auto target = target_of(settings_, load);
  const auto ready = static_cast<double>(std::max<std::size_t>(load.ready, 1));
  const auto most = ready * settings_.max_scale_up;
  const auto least = std::floor(static_cast<double>(load.ready) / settings_.max_scale_down);
  const auto long_average = load_.average(settings_.stable_window, now);
  const auto short_average = load_.average(settings_.panic_window, now);
  const auto panic = instances_for(short_average, target);
  if (panic * 100 >= ready * settings_.panic_threshold) {
    if (!panic_) panic_peak_ = 0;
    panic_ = now;
  } else if (panic_ && now - *panic_ >= settings_.stable_window) {
    panic_.reset();
  }
  auto stable = std::min(std::max(instances_for(long_average, target), least), most);
  if (!panic_) {
    return {stable, fmt::format("{:.2f} tasks on average of {} ms, {:.2f} an instance", long_average,
                                settings_.stable_window.count(), target)};
  }
  panic_peak_ = std::max({panic_peak_, stable, std::min(panic, most)});
  return {panic_peak_, fmt::format("a burst: {:.2f} tasks on average of {} ms, {:.2f} an instance", short_average,
                                   settings_.panic_window.count(), target)};
}

void Autoscaler::respect_response_time(Choice& choice, const ScaleBounds& bounds, const FunctionLoad& load,
                                       TimePoint now) const {
  const auto target = seconds_of(bounds.response_time);
  const auto service = load.service_us / 1e6;
  if (target <= 0 || service <= 0) return;
  if (service >= target) {
    choice.why += fmt::format("; a task runs {:.0f} ms, so no number of instances answers within {} ms", service * 1000,
                              bounds.response_time.count());
    return;
  }
  const auto offered = load_.average(settings_.panic_window, now);
  const auto slots = std::max(1U, load.concurrency);
  auto needed = std::max(1.0, choice.wanted);
  while (needed < bounds.max && service + predicted_wait(offered, needed * slots, service) > target) ++needed;
  if (needed <= choice.wanted || offered <= 0) return;
  choice = {needed, fmt::format("{:.2f} tasks on average of {} ms are to be answered within {} ms", offered,
                                settings_.panic_window.count(), bounds.response_time.count())};
}

/// The first instance and the last, and those that a new master finds.
void Autoscaler::respect_start(Choice& choice, const FunctionLoad& load, TimePoint now) const {
  const auto tasks = load.in_flight + load.waiting;
  if (load.ready == 0 && load.waiting > 0) {
    const auto slots = std::max(1U, load.concurrency);
    const auto first = std::min<double>(settings_.max_scale_up, std::ceil(static_cast<double>(tasks) / slots));
    if (first >= choice.wanted) choice = {first, fmt::format("{} tasks wait and no instance is ready", load.waiting)};
  }
  const bool first_window = created_ + settings_.stable_window > now;
  const auto ready = static_cast<double>(load.ready);
  if (first_window && ready > choice.wanted) {
    choice = {ready, "nothing stops within the first window"};
  }
  const auto idle = now - last_active_;
  const bool has_any = load.ready > 0 || wanted_ > 0;
  if (choice.wanted < 1 && has_any && idle < settings_.stable_window + settings_.scale_to_zero_grace) {
    choice = {1, fmt::format("no task for {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(idle).count())};
  }
  if (choice.wanted < 1) choice.why = "no task for the window and its grace";
}

} // namespace tcfdl::task_manager
