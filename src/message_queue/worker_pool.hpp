// A fixed number of threads behind a bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tcfdl::message_queue {

/// Runs jobs in order of arrival. Any thread may post. Jobs do not throw.
class WorkerPool {
public:
  using Job = std::move_only_function<void()>;

  WorkerPool(std::size_t workers, std::size_t capacity);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  /// Takes the job, or leaves it untouched and returns false when `capacity` jobs wait or the pool has stopped.
  [[nodiscard]] bool post(Job& job);

  /// Waits for the running jobs and drops the waiting ones. Idempotent; never called from a job.
  void stop();

private:
  void work();

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // guarded by mutex_
  std::deque<Job> jobs_;
  bool stopped_ = false;
  // touched by the constructor and stop() only
  std::vector<std::thread> threads_;
};

} // namespace tcfdl::message_queue
