// What ends a wait early: a stop request or the deadline, in a form that poll understands.
#pragma once

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <poll.h>
#include <span>
#include <stop_token>

namespace tcfdl::exec {

/// A flag that wakes every poll on its descriptor once it is raised, for good. Thread-safe.
class Signal {
public:
  /// Throws std::system_error where the system has no descriptor left.
  Signal();
  void raise() const noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

private:
  UniqueFd fd_;
};

/// Ends the waits of one task, on all threads that wait for it. Thread-safe.
class Interrupt {
public:
  /// Throws std::system_error as `Signal` does.
  Interrupt(const std::stop_token& stop, Deadline deadline);

  /// Ends all waits, present and future.
  void raise() const noexcept { signal_.raise(); }

  /// Polls at most 3 entries until one is ready. CANCELLED after `raise` or a stop request, DEADLINE_EXCEEDED; both go
  /// before readiness.
  Status wait(std::span<pollfd> entries) const;

private:
  struct Raise {
    const Signal* signal;
    void operator()() const noexcept { signal->raise(); }
  };

  Signal signal_;
  Deadline deadline_;
  std::stop_callback<Raise> on_stop_;
};

} // namespace tcfdl::exec
