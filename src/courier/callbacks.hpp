// Tells receivers of tasks that have ended.
#pragma once

#include "courier/ports.hpp"
#include "courier/task_store.hpp"

#include <set>
#include <thread>

namespace tcfdl::courier {

struct CallbackSettings {
  unsigned threads = 4;                       ///< receivers that are told at a time
  std::chrono::milliseconds patience{30'000}; ///< with one that does not answer
  std::chrono::milliseconds look_every{500};  ///< for tasks that ended
};

/// Posts each task at least once, and again until its receiver takes it (2xx), does not want it (410), or the task is
/// pruned: after 1 s, then twice as long each time, to 5 min. Thread-safe; `stop` is final.
class Callbacks {
public:
  Callbacks(CallbackSettings settings, TaskStore& store, Receivers& receivers);
  Callbacks(const Callbacks&) = delete;
  Callbacks& operator=(const Callbacks&) = delete;
  ~Callbacks() { stop(); }

  void start();
  void stop() noexcept;

private:
  void work();
  std::optional<DueCallback> take();
  bool tell(const DueCallback& callback);
  Result<int> post(const DueCallback& callback);

  const CallbackSettings settings_;
  TaskStore& store_;
  Receivers& receivers_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;            // guarded by mutex_, as is the one below
  std::set<TaskRef> told_now_;       // that a thread is at work with
  std::vector<std::thread> threads_; // of `start` and `stop`
};

} // namespace tcfdl::courier
