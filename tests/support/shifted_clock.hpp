// The time of day of a platform's daemons, TEE proxies and instances, and of this process, as a test sets it.
#pragma once

#include "support/platform.hpp"

#include <chrono>

namespace tcfdl::test {

/// Programs of this build that are started in `environment()` see the time that it says; so do functions that are
/// linked with `tcfdl_shifted_clock` on nodes that it was told to. One at a time in a process. Not concerned:
/// nats-server, whose language asks the kernel without a library.
class ShiftedClock {
public:
  ShiftedClock();
  ShiftedClock(const ShiftedClock&) = delete;
  ShiftedClock& operator=(const ShiftedClock&) = delete;
  ~ShiftedClock();

  /// What programs must have in their environment.
  [[nodiscard]] Environment environment() const;
  /// Instances of the node that keeps its state there see it too, those to come.
  void reaches(const std::filesystem::path& state) const;
  /// Sets the clocks of all to the machine's and so much.
  void set(std::chrono::seconds shift);
};

} // namespace tcfdl::test
