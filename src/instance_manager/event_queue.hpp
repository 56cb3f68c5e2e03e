// One queue, one thread: events are handled in order, so that starts and stops never interleave.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace tcfdl::instance_manager {

/// Events run in the order of their times, those of one time in the order of arrival. Thread-safe. Events do not throw.
class EventQueue {
public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Event = std::function<void()>;
  using Now = std::function<TimePoint()>;

  /// `name` is the thread's, at most 15 characters.
  EventQueue(std::string name, Now now) : name_(std::move(name)), now_(std::move(now)) {}
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;
  ~EventQueue() { stop(); }

  void start();
  /// Ends the thread after the event it handles; what waits is dropped, as is all that is posted later. Idempotent.
  void stop() noexcept;

  void post(Event event) { post_at(now_(), std::move(event)); }
  void post_at(TimePoint when, Event event);
  /// Handles what is due on the caller's thread, in place of `start`. Returns the number of events.
  std::size_t run_due();
  [[nodiscard]] TimePoint now() const { return now_(); }

private:
  Event take_due(); // mutex_ is held
  void loop();

  // Constant after construction.
  const std::string name_;
  const Now now_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<TimePoint, Event> events_; // guarded by mutex_
  bool stopped_ = false;                   // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl::instance_manager
