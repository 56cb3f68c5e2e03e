#include "instance_manager/worker_pool.hpp"

#include <pthread.h>

namespace tcfdl::instance_manager {

WorkerPool::WorkerPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) {
    auto& thread = threads_.emplace_back([this] { work(); });
    ::pthread_setname_np(thread.native_handle(), "instance-jobs");
  }
}

void WorkerPool::run(std::function<void()> job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void WorkerPool::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    jobs_.clear();
  }
  wake_.notify_all();
  threads_.clear();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
    if (stopped_) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

} // namespace tcfdl::instance_manager
