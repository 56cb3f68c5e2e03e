// Time as a parameter.
#pragma once

#include <chrono>
#include <cstdint>

namespace tcfdl {

/// Seconds since the Unix epoch, UTC: the form of every absolute time in signed statements.
using UnixSeconds = std::int64_t;

/// Milliseconds since the Unix epoch, UTC: what deadlines between processes are told in.
inline std::int64_t unix_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What time it is; tests pass their own.
class Clock {
public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual UnixSeconds now() const = 0;
};

class SystemClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

} // namespace tcfdl
