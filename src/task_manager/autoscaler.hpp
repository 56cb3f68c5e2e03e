// How many instances a function should have: decided from its tasks, in flight and waiting.
#pragma once

#include "task_manager/load_window.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace tcfdl::task_manager {

/// Times and rates of the decision. The algorithm is that of Knative's pod autoscaler (knative.dev, "About
/// autoscaling" and "Additional autoscaling configuration"), whose defaults these are but for `interval` and
/// `max_scale_up`, which are Knative's 2 s and 1000.
struct AutoscalingSettings {
  std::chrono::milliseconds interval{1000};              ///< between two decisions
  std::chrono::milliseconds stable_window{60'000};       ///< over which the load is averaged
  std::chrono::milliseconds panic_window{6000};          ///< the same for bursts
  unsigned panic_threshold = 200;                        ///< a burst: per cent of what the ready instances should have
  unsigned target_utilisation = 70;                      ///< per cent of an instance's concurrency
  unsigned max_scale_up = 10;                            ///< times as many as are ready, with one decision
  unsigned max_scale_down = 2;                           ///< a part of those that are ready stays: one in so many
  std::chrono::milliseconds scale_to_zero_grace{30'000}; ///< the last instance stays so long after an idle window
};

struct ScaleBounds {
  unsigned min = 1;
  unsigned max = 1;
  std::chrono::milliseconds response_time{0}; ///< from the task's arrival to its end; 0: no target
};

/// A function at one moment.
struct FunctionLoad {
  std::size_t in_flight = 0;
  std::size_t waiting = 0;
  std::uint64_t ended = 0;  ///< tasks that ended since the master started
  double service_us = 0;    ///< mean run time; 0: not measured yet
  unsigned concurrency = 1; ///< tasks that an instance runs at once
  std::size_t ready = 0;    ///< instances
  bool failing = false;     ///< instances do not start: more of them would not either
};

struct ScaleDecision {
  std::size_t wanted = 0; ///< instances, within the bounds
  std::string why;        ///< for people
  double rate = 0;        ///< tasks that end in a second, over the panic window
};

/// Of one function. Pure: time and load come in, the decision goes out. Not thread-safe.
///
/// Wanted is the average of tasks in flight and waiting over the stable window, divided by what an instance should have
/// of them. A burst, when the average over the panic window needs `panic_threshold` of what is ready, raises it at once
/// and lets nothing fall for a stable window. A response-time target raises it until the predicted time of a task is
/// below. What ran when it was made stays for the first window: a restarted master knows no load yet.
class Autoscaler {
public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Autoscaler(const AutoscalingSettings& settings, TimePoint now);

  /// To be called every interval, and at once when a task waits where there is no instance.
  ScaleDecision decide(const ScaleBounds& bounds, const FunctionLoad& load, TimePoint now);

  /// A task waits and all instances are busy, while others stand ready: a burst, which wants so many instances.
  void raise(std::size_t wanted, TimePoint now);

private:
  struct Choice {
    double wanted = 0;
    std::string why;
  };
  void record(const FunctionLoad& load, TimePoint now);
  [[nodiscard]] Choice by_utilisation(const FunctionLoad& load, TimePoint now);
  void respect_response_time(Choice& choice, const ScaleBounds& bounds, const FunctionLoad& load, TimePoint now) const;
  void respect_start(Choice& choice, const FunctionLoad& load, TimePoint now) const;
  [[nodiscard]] double ended_rate(TimePoint now) const { return ended_.average(settings_.panic_window, now); }

  // Constant after construction.
  const AutoscalingSettings settings_;
  const TimePoint created_;

  LoadWindow load_;
  LoadWindow ended_; // tasks a second
  TimePoint last_;
  TimePoint last_active_;
  std::optional<std::uint64_t> last_ended_;
  std::optional<TimePoint> panic_; // the last time that a burst was seen
  double panic_peak_ = 0;
  std::size_t wanted_ = 0;
};

/// The mean wait for one of `slots` that serve tasks of `service` seconds, when `offered` of them would be busy on
/// average; infinite when that is not less than the slots. Sakasegawa's approximation of M/M/c: H. Sakasegawa, "An
/// approximation formula L_q ≈ αρ^β/(1−ρ)", Annals of the Institute of Statistical Mathematics 29 (1977).
double predicted_wait(double offered, double slots, double service);

} // namespace tcfdl::task_manager
