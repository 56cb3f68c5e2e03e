// Signals as something to wait for.
#pragma once

#include <chrono>
#include <csignal>
#include <optional>

namespace tcfdl::cli {

/// Holds back SIGINT, SIGTERM, SIGHUP and SIGCHLD of this thread and of those that it starts, so that `wait` gets them.
/// Made before any thread; there is one.
class Signals {
public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  /// Waits for the end of a child, a request to stop or the time. Whether to stop.
  bool wait(std::chrono::milliseconds within);

private:
  sigset_t watched_{};
  sigset_t before_{};
  bool stop_ = false;
};

} // namespace tcfdl::cli
