// Tells running work that its caller went away or its deadline passed.
#pragma once

#include "base/deadline.hpp"
#include "base/fd.hpp"

#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace tcfdl::wire {

/// Whether the peer of a socket has ended its side already; false for a negative descriptor.
[[nodiscard]] bool has_hung_up(int fd) noexcept;

/// One thread watches any number of descriptors. Thread-safe; outlives its watches.
class HangupWatcher {
public:
  HangupWatcher();
  HangupWatcher(const HangupWatcher&) = delete;
  HangupWatcher& operator=(const HangupWatcher&) = delete;
  ~HangupWatcher();

  /// Ends the watch when it goes; the descriptor stays open until then.
  class Watch {
  public:
    Watch(HangupWatcher& watcher, std::uint64_t id) : watcher_(&watcher), id_(id) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { watcher_->remove(id_); }

  private:
    HangupWatcher* watcher_;
    std::uint64_t id_;
  };

  /// Requests a stop of `stop` when the peer of `fd` hangs up (not watched when negative) or the deadline passes.
  [[nodiscard]] Watch watch(int fd, Deadline deadline, std::stop_source stop) {
    return {*this, add(fd, deadline, std::move(stop))};
  }

private:
  struct Entry {
    int fd;
    Deadline deadline;
    std::stop_source stop;
  };

  std::uint64_t add(int fd, Deadline deadline, std::stop_source stop);
  void remove(std::uint64_t id);
  void loop();
  int pause_millis();
  void expire();
  void hang_up(std::uint64_t id);

  UniqueFd epoll_;
  UniqueFd wake_;
  std::mutex mutex_;
  std::map<std::uint64_t, Entry> entries_; // guarded by mutex_
  std::uint64_t next_ = 1;                 // guarded by mutex_; 0 is the wake-up
  Deadline::Clock::time_point sleeping_until_ = Deadline::Clock::time_point::max(); // guarded by mutex_
  bool stopping_ = false;                                                           // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl::wire
