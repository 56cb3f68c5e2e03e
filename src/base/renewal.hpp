// Renews what expires, in time and again after failures.
#pragma once

#include "base/lifetime.hpp"
#include "base/result.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace tcfdl {

struct RenewalSettings {
  std::string what; ///< for the log
  /// How often it looks at the clock at least, which may jump while waits do not.
  std::chrono::milliseconds look_every = std::chrono::seconds(20);
};

/// One thread, from construction to `stop`.
class Renewal {
public:
  /// Calls `renew` when the first half of the lifetime has passed, at most once a second. After a failure it tries
  /// again after a sixteenth of what is left: a second to a minute. The functions run on its thread; the clock outlives
  /// it.
  Renewal(RenewalSettings settings, const Clock& clock, std::function<Lifetime()> lifetime,
          std::function<Status()> renew);
  Renewal(const Renewal&) = delete;
  Renewal& operator=(const Renewal&) = delete;
  ~Renewal() { stop(); }
  /// Waits for a `renew` that runs. Idempotent, from one thread.
  void stop() noexcept;

private:
  void run();
  bool stopped_within(std::chrono::milliseconds pause);

  const RenewalSettings settings_;
  const Clock& clock_;
  const std::function<Lifetime()> lifetime_;
  const std::function<Status()> renew_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false; // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl
