// Delays between restarts that grow while restarts do not help.
#pragma once

#include <chrono>
#include <cstdint>

namespace tcfdl::instance_manager {

struct BackoffSettings {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds longest{10'000};
  std::chrono::milliseconds reset_after{60'000}; ///< of running: the trouble is over
};

/// Doubles from `first` to `longest`. Not thread-safe.
class Backoff {
public:
  explicit Backoff(BackoffSettings settings) : settings_(settings), step_(settings.first) {}

  /// How often `next` was asked since the trouble began.
  [[nodiscard]] std::uint32_t failures() const noexcept { return failures_; }

  /// The next delay, shortened by up to a fifth: `random` in [0, 1) says by how much.
  std::chrono::milliseconds next(double random);
  /// What was delayed ran so long.
  void ran(std::chrono::steady_clock::duration duration) {
    if (duration < settings_.reset_after) return;
    step_ = settings_.first;
    failures_ = 0;
  }

private:
  BackoffSettings settings_;
  std::chrono::milliseconds step_;
  std::uint32_t failures_ = 0;
};

} // namespace tcfdl::instance_manager
