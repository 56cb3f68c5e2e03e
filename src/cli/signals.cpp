#include "cli/signals.hpp"

namespace tcfdl::cli {

Signals::Signals() {
  sigemptyset(&watched_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&watched_, number);
  ::sigprocmask(SIG_BLOCK, &watched_, &before_);
  ::signal(SIGPIPE, SIG_IGN); // who reads the output may go
}

Signals::~Signals() {
  // What is pending is taken, so that it does not end the process now.
  const timespec now{};
  while (::sigtimedwait(&watched_, nullptr, &now) > 0) {
  }
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool Signals::wait(std::chrono::milliseconds within) {
  if (stop_) return true;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(within);
  const timespec time{.tv_sec = seconds.count(),
                      .tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(within - seconds).count()};
  const int number = ::sigtimedwait(&watched_, nullptr, &time);
  if (number > 0 && number != SIGCHLD) stop_ = true;
  return stop_;
}

} // namespace tcfdl::cli
