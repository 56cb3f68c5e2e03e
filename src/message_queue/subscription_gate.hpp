// Lets a subscription end while its handlers run on threads of others.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace tcfdl::message_queue {

/// Counts the handlers inside. Any thread.
class SubscriptionGate {
public:
  SubscriptionGate() = default;
  SubscriptionGate(const SubscriptionGate&) = delete;
  SubscriptionGate& operator=(const SubscriptionGate&) = delete;
  ~SubscriptionGate() = default;

  /// Runs `handler` unless the gate is closed.
  template <class Handler> void run(Handler&& handler) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_) return;
      ++inside_;
    }
    const auto* outer = std::exchange(current(), this);
    std::forward<Handler>(handler)();
    current() = outer;
    const std::scoped_lock lock(mutex_);
    --inside_;
    changed_.notify_all();
  }

  /// Lets nobody in any more and waits for those inside, but for a handler that closes its own gate.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    const int own = current() == this ? 1 : 0;
    changed_.wait(lock, [&] { return inside_ <= own; });
  }

private:
  /// The gate whose handler this thread runs.
  static const SubscriptionGate*& current() {
    thread_local const SubscriptionGate* gate = nullptr;
    return gate;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  int inside_ = 0;
  bool closed_ = false;
};

} // namespace tcfdl::message_queue
