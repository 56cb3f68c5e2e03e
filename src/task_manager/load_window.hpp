// The load of a function over the last while.
#pragma once

#include <chrono>
#include <deque>

namespace tcfdl::task_manager {

/// A step function of time, kept for `span`. Not thread-safe. Its memory is bounded by how often it is told.
class LoadWindow {
public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  /// Nothing is known before `start`, which counts as no load.
  LoadWindow(Duration span, TimePoint start) : span_(span), last_(start) {}

  /// The load from the last call on until `now`. A time that is not later adds nothing.
  void add(double load, TimePoint now);
  /// Over the whole of `window`, which is not longer than the span.
  [[nodiscard]] double average(Duration window, TimePoint now) const;

private:
  struct Step {
    TimePoint from;
    TimePoint to;
    double load = 0;
  };
  Duration span_;
  TimePoint last_;
  std::deque<Step> steps_;
};

} // namespace tcfdl::task_manager
