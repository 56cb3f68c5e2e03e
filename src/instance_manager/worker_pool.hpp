// The threads on which launches and commands block.
#pragma once

#include "instance_manager/ports.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace tcfdl::instance_manager {

/// A fixed number of threads. Thread-safe. Jobs do not throw; their number is bounded by what posts them. Stopped after
/// the managers that use it and before their destruction.
class WorkerPool final : public Executor {
public:
  explicit WorkerPool(std::size_t threads);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() override { stop(); }

  /// Dropped once the pool is stopped.
  void run(std::function<void()> job) override;
  /// Drops what waits, joins what runs. Idempotent; not to be called by a job.
  void stop() noexcept;

private:
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_; // guarded by mutex_
  bool stopped_ = false;                   // guarded by mutex_
  std::vector<std::jthread> threads_;
};

} // namespace tcfdl::instance_manager
