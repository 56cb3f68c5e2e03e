// Numbers that look random and follow from a seed, the same everywhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace tcfdl::task_manager {

/// SplitMix64 (Steele, Lea and Flood 2014). For choices that nobody attacks. Not thread-safe.
class Draws {
public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    auto z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// In [0, bound).
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  /// In (0, 1].
  double unit() { return static_cast<double>((next() >> 11U) + 1) * 0x1.0p-53; }
  double exponential(double mean) { return -mean * std::log(unit()); }
  /// By Box and Muller; mean 0, deviation 1.
  double normal() { return std::sqrt(-2 * std::log(unit())) * std::cos(2 * std::numbers::pi * unit()); }

private:
  std::uint64_t state_;
};

} // namespace tcfdl::task_manager
