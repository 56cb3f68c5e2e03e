#include "base/worker_pool.hpp"

#include <algorithm>

namespace tcfdl {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue, AtStop at_stop)
    : queue_(queue), at_stop_(at_stop), idle_(std::max<std::size_t>(threads, 1)) {
  const auto count = idle_;
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

bool WorkerPool::full() const {
  const std::scoped_lock lock(mutex_);
  return stopped_ || jobs_.size() >= queue_ + idle_;
}

bool WorkerPool::take(Job& job, std::size_t bound) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_ || jobs_.size() >= bound + idle_) return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::stop() noexcept {
  std::deque<Job> dropped;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    if (at_stop_ == AtStop::kDrop) dropped.swap(jobs_);
  }
  wake_.notify_all();
  dropped.clear();
  threads_.clear();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    --idle_;
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    ++idle_;
  }
}

} // namespace tcfdl
