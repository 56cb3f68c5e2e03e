// A fixed number of threads behind a bounded queue, for work that may block.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tcfdl {

/// Runs jobs in order of arrival. Any thread may post. Jobs do not throw. Destructor = stop.
class WorkerPool {
public:
  using Job = std::move_only_function<void()>;

  /// What becomes of the jobs that wait when the pool stops.
  enum class AtStop : std::uint8_t { kDrop, kRun };

  /// For pools whose jobs are bounded by what posts them.
  static constexpr std::size_t kUnbounded = SIZE_MAX / 2;

  /// `queue`: jobs that may wait while every thread is at work. At least one thread is made.
  WorkerPool(std::size_t threads, std::size_t queue, AtStop at_stop = AtStop::kDrop);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { stop(); }

  /// Whether a job would be refused now.
  [[nodiscard]] bool full() const;

  /// Takes the job, or leaves it untouched and returns false when the queue is full or the pool has stopped.
  [[nodiscard]] bool post(Job& job) { return take(job, queue_); }

  /// As `post` without the bound, for work that was admitted before.
  [[nodiscard]] bool post_admitted(Job& job) { return take(job, kUnbounded); }

  /// Waits for the running jobs. Idempotent; never called from a job.
  void stop() noexcept;

private:
  bool take(Job& job, std::size_t bound);
  void work();

  const std::size_t queue_;
  const AtStop at_stop_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_; // guarded by mutex_
  std::size_t idle_;     // guarded by mutex_: threads without a job
  bool stopped_ = false; // guarded by mutex_
  std::vector<std::jthread> threads_;
};

} // namespace tcfdl
