#include "http/worker_pool.hpp"

#include <algorithm>

namespace tcfdl::http {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue)
    : queue_(queue), idle_(std::max<std::size_t>(threads, 1)) {
  const auto count = idle_;
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

bool WorkerPool::full() const {
  const std::scoped_lock lock(mutex_);
  return stopped_ || full_locked();
}

bool WorkerPool::submit(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_ || full_locked()) return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

bool WorkerPool::submit_more(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
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

} // namespace tcfdl::http
