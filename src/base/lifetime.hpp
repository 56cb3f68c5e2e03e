// From when to when something is good.
#pragma once

#include "base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace tcfdl {

/// How far the clocks of machines may be apart, seconds.
inline constexpr std::int64_t kClockDifference = 300;

struct Lifetime {
  UnixSeconds issued = 0;
  UnixSeconds expires = 0;

  /// Whether it was made by a clock that is ahead of `now` by more than clocks differ: one that was set back since.
  [[nodiscard]] bool is_of_the_future(UnixSeconds now) const noexcept { return issued - kClockDifference > now; }

  /// How long its first half lasts; 0 when that has passed, and for what is of the future, which others refuse.
  [[nodiscard]] std::chrono::seconds until_half(UnixSeconds now) const noexcept {
    if (is_of_the_future(now)) return std::chrono::seconds(0);
    return std::chrono::seconds(std::max<std::int64_t>(std::midpoint(issued, expires) - now, 0));
  }
};

} // namespace tcfdl
