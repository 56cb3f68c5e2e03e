// The run times of the last tasks.
#pragma once

#include <algorithm>
#include <array>

namespace tcfdl::task_manager {

/// The newest replaces the oldest. Not thread-safe.
class RecentTimes {
public:
  void add(double micros) {
    times_[next_] = micros;
    next_ = (next_ + 1) % times_.size();
    size_ = std::min(size_ + 1, times_.size());
  }
  /// 0 before the first.
  [[nodiscard]] double median() const {
    if (size_ == 0) return 0;
    auto sorted = times_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(size_ / 2);
    std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(size_));
    return *middle;
  }

private:
  std::array<double, 128> times_{};
  std::size_t next_ = 0;
  std::size_t size_ = 0;
};

} // namespace tcfdl::task_manager
