// Threads on which handlers may block.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tcfdl::http {

/// A fixed number of threads behind a bounded queue. Thread-safe. Jobs do not throw.
class WorkerPool {
public:
  using Job = std::function<void()>;

  WorkerPool(std::size_t threads, std::size_t queue);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { stop(); }

  /// Whether a job would be refused now.
  [[nodiscard]] bool full() const;
  /// False if the queue is full or the pool is stopped.
  bool submit(Job job);
  /// As `submit` without the bound, for work that was admitted before. False if the pool is stopped.
  bool submit_more(Job job);
  /// Runs what is queued, then ends the threads. Idempotent; not to be called by a job.
  void stop();

private:
  void work();
  [[nodiscard]] bool full_locked() const { return jobs_.size() >= queue_ + idle_; }

  const std::size_t queue_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_; // guarded by mutex_
  std::size_t idle_ = 0; // guarded by mutex_: threads that wait for a job
  bool stopped_ = false; // guarded by mutex_
  std::vector<std::jthread> threads_;
};

} // namespace tcfdl::http
