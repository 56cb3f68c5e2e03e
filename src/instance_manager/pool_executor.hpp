// The threads on which launches and commands block.
#pragma once

#include "base/worker_pool.hpp"
#include "instance_manager/ports.hpp"

namespace tcfdl::instance_manager {

/// Thread-safe. Stopped after the managers that use it and before their destruction; jobs are dropped then.
class PoolExecutor final : public Executor {
public:
  explicit PoolExecutor(std::size_t threads) : pool_(threads, WorkerPool::kUnbounded) {}

  void run(std::function<void()> job) override {
    WorkerPool::Job movable = std::move(job);
    (void)pool_.post(movable);
  }
  void stop() noexcept { pool_.stop(); }

private:
  WorkerPool pool_;
};

} // namespace tcfdl::instance_manager
