#include "instance_manager/event_queue.hpp"

#include <pthread.h>

namespace tcfdl::instance_manager {

void EventQueue::start() {
  if (thread_.joinable()) return;
  thread_ = std::thread([this] { loop(); });
  ::pthread_setname_np(thread_.native_handle(), name_.c_str());
}

void EventQueue::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    events_.clear();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EventQueue::post_at(TimePoint when, Event event) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
    events_.emplace(when, std::move(event));
  }
  wake_.notify_one();
}

EventQueue::Event EventQueue::take_due() {
  if (events_.empty() || events_.begin()->first > now_()) return nullptr;
  auto event = std::move(events_.begin()->second);
  events_.erase(events_.begin());
  return event;
}

std::size_t EventQueue::run_due() {
  for (std::size_t count = 0;; ++count) {
    std::unique_lock lock(mutex_);
    const auto event = take_due();
    lock.unlock();
    if (!event) return count;
    event();
  }
}

void EventQueue::loop() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (auto event = take_due()) {
      lock.unlock();
      event();
      event = nullptr;
      lock.lock();
    } else if (events_.empty()) {
      wake_.wait(lock);
    } else {
      const auto next = events_.begin()->first;
      wake_.wait_until(lock, next);
    }
  }
}

} // namespace tcfdl::instance_manager
