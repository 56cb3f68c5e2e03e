// The one deadline that travels with a task; each hop passes on what is left of it.
#pragma once

#include "base/result.hpp"

#include <algorithm>
#include <chrono>

namespace tcfdl {

/// A point on the steady clock by which an operation ends. Copyable, immutable.
class Deadline {
public:
  using Clock = std::chrono::steady_clock;

  explicit Deadline(Clock::time_point when) : when_(when) {}
  static Deadline after(std::chrono::nanoseconds duration) {
    return Deadline(Clock::now() + std::min<std::chrono::nanoseconds>(duration, kLongest));
  }
  static Deadline after_millis(std::uint64_t millis) {
    return after(std::min<std::chrono::milliseconds>(
        kLongest, std::chrono::milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(millis, 1U << 31U)))));
  }

  [[nodiscard]] Clock::time_point when() const noexcept { return when_; }
  [[nodiscard]] std::chrono::nanoseconds left() const noexcept {
    return std::max<std::chrono::nanoseconds>(when_ - Clock::now(), std::chrono::nanoseconds(0));
  }
  /// What is left in milliseconds, rounded up, so that only an expired deadline gives 0.
  [[nodiscard]] std::int64_t left_millis() const noexcept {
    return std::chrono::ceil<std::chrono::milliseconds>(left()).count();
  }
  [[nodiscard]] bool expired() const noexcept { return Clock::now() >= when_; }
  [[nodiscard]] Deadline earlier(Deadline other) const noexcept { return Deadline(std::min(when_, other.when_)); }

  /// DEADLINE_EXCEEDED, saying during what.
  [[nodiscard]] static Error exceeded(std::string_view during) {
    return make_error(Code::kDeadlineExceeded, "the deadline passed during {}", during);
  }

private:
  static constexpr std::chrono::hours kLongest{24};
  Clock::time_point when_;
};

/// The whole microseconds since then.
inline std::uint64_t micros_since(Deadline::Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Deadline::Clock::now() - start).count());
}

} // namespace tcfdl
