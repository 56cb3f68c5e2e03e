#include "task_manager/load_window.hpp"

#include <algorithm>

namespace tcfdl::task_manager {

void LoadWindow::add(double load, TimePoint now) {
  if (now <= last_) return;
  steps_.push_back({.from = last_, .to = now, .load = load});
  last_ = now;
  while (!steps_.empty() && steps_.front().to <= now - span_) steps_.pop_front();
}

double LoadWindow::average(Duration window, TimePoint now) const {
  using Seconds = std::chrono::duration<double>;
  double area = 0;
  for (const auto& step : steps_) {
    const auto from = std::max(step.from, now - window);
    if (step.to > from) area += step.load * Seconds(step.to - from).count();
  }
  return area / Seconds(window).count();
}

} // namespace tcfdl::task_manager
