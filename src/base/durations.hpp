// How often something took how long: counts in fixed buckets.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace tcfdl {

/// A histogram of times. Not thread-safe; a copy is a snapshot.
struct Durations {
  /// Upper bounds of the buckets, seconds; what is longer is in one more.
  static constexpr std::array kBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                      0.1,    0.25,    0.5,    1.0,   2.5,    5.0,   10.0, 30.0,  60.0};

  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  double sum = 0; ///< seconds

  void add(double seconds) noexcept {
    const auto bucket = std::ranges::lower_bound(kBounds, seconds);
    ++counts[static_cast<std::size_t>(bucket - kBounds.begin())];
    sum += seconds;
  }
};

} // namespace tcfdl
