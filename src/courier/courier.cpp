#include "courier/courier.hpp"

#include "base/log.hpp"

#include <pthread.h>

namespace tcfdl::courier {
namespace {

int rank_of(const OpenTask& task) {
  if (task.running) return 0;
  if (task.priority == wire::PRIORITY_HIGH) return 1;
  return task.priority == wire::PRIORITY_LOW ? 3 : 2;
}

} // namespace

Courier::Courier(CourierSettings settings, TaskStore& store, Leases& leases, Instances& instances, UnixMillis now)
    : settings_(settings), store_(store), now_(std::move(now)),
      parts_{store, leases, instances, now_, Deadline::after(settings.known_within)} {}

Status Courier::start() {
  if (!threads_.empty()) return {};
  TCFDL_ASSIGN(const auto left, store_.unfinished());
  if (!left.empty()) spdlog::info("{} asynchronous tasks of before go on", left.size());
  for (const auto& task : left) enqueue(task);
  for (unsigned i = 0; i < settings_.threads; ++i) {
    threads_.emplace_back([this] { work(); });
    ::pthread_setname_np(threads_.back().native_handle(), "courier");
  }
  threads_.emplace_back([this] { look_after(); });
  ::pthread_setname_np(threads_.back().native_handle(), "courier-keeper");
  return {};
}

void Courier::stop() noexcept {
  std::vector<std::shared_ptr<Interruption>> interrupted;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (const auto& [ref, interruption] : at_work_) interrupted.push_back(interruption);
  }
  wake_.notify_all();
  stop_requested_.notify_all();
  for (const auto& interruption : interrupted) interruption->stop.request_stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Courier::enqueue(const OpenTask& task) {
  {
    const std::scoped_lock lock(mutex_);
    backlogs_[task.ref.owner].waiting.emplace(Rank{rank_of(task), task.number}, task);
  }
  wake_.notify_one();
}

void Courier::work() {
  while (const auto task = take()) {
    std::shared_ptr<Interruption> interruption;
    {
      const std::scoped_lock lock(mutex_);
      interruption = at_work_.at(task->ref);
    }
    deliver(*task, *interruption);
    put_back(task->ref);
  }
}

/// The next task: of the submitter with the fewest at work. nullopt when the courier stops.
std::optional<OpenTask> Courier::take() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_) return std::nullopt;
    Backlog* chosen = nullptr;
    for (auto& [owner, backlog] : backlogs_) {
      if (backlog.waiting.empty() || backlog.at_work >= settings_.most_each) continue;
      if (chosen == nullptr || backlog.at_work < chosen->at_work) chosen = &backlog;
    }
    if (chosen != nullptr) {
      auto task = std::move(chosen->waiting.begin()->second);
      chosen->waiting.erase(chosen->waiting.begin());
      ++chosen->at_work;
      at_work_.emplace(task.ref, std::make_shared<Interruption>());
      return task;
    }
    wake_.wait(lock);
  }
}

void Courier::deliver(const OpenTask& task, Interruption& interruption) {
  const LogScope scope({.task = task.ref.id});
  auto job = store_.job(task.ref);
  if (job) return Delivery(*std::move(job), parts_, interruption).run();
  spdlog::error("task {} cannot be read: {}", task.ref.id, job.error().to_string());
  const auto ended = store_.end(task.ref, End::of(wire::TASK_STATE_FAILED, job.error()));
  if (!ended) spdlog::error("nor can its end be recorded: {}", ended.error().to_string());
}

void Courier::put_back(const TaskRef& ref) {
  const std::scoped_lock lock(mutex_);
  at_work_.erase(ref);
  const auto backlog = backlogs_.find(ref.owner);
  if (--backlog->second.at_work == 0 && backlog->second.waiting.empty()) backlogs_.erase(backlog);
  wake_.notify_one(); // the submitter may have been at its bound
}

Result<wire::StoredTask> Courier::cancel(const TaskRef& ref) {
  std::shared_ptr<Interruption> running;
  bool waited = false;
  {
    const std::scoped_lock lock(mutex_); // for both, as a thread takes it from one to the other
    const auto found = at_work_.find(ref);
    if (found != at_work_.end()) {
      running = found->second;
    } else {
      waited = take_back(ref);
    }
  }
  if (running) {
    running->cancelled = true;
    running->stop.request_stop();
  } else if (waited) {
    TCFDL_TRY(store_.end(ref, End::of(wire::TASK_STATE_CANCELLED,
                                      {Code::kCancelled, "the submitter cancelled the task before its start"})));
  }
  return store_.get(ref);
}

/// Whether the task waited for a thread; now it does not. With the mutex held.
bool Courier::take_back(const TaskRef& ref) {
  const auto backlog = backlogs_.find(ref.owner);
  if (backlog == backlogs_.end()) return false;
  return std::erase_if(backlog->second.waiting, [&](const auto& task) { return task.second.ref == ref; }) > 0;
}

void Courier::look_after() {
  std::unique_lock lock(mutex_);
  while (!stop_requested_.wait_for(lock, settings_.look_after_every, [this] { return stopping_; })) {
    lock.unlock();
    for (const auto& task : take_expired()) {
      const Error late(Code::kDeadlineExceeded, "the deadline passed while the task waited for its turn");
      const auto ended = store_.end(task.ref, End::of(wire::TASK_STATE_EXPIRED, late));
      if (!ended) spdlog::error("the end of task {} is not recorded: {}", task.ref.id, ended.error().to_string());
    }
    const auto pruned = store_.prune();
    if (!pruned) spdlog::error("old tasks are not pruned: {}", pruned.error().to_string());
    lock.lock();
  }
}

std::vector<OpenTask> Courier::take_expired() {
  const auto now = now_();
  std::vector<OpenTask> expired;
  const std::scoped_lock lock(mutex_);
  for (auto& [owner, backlog] : backlogs_) {
    std::erase_if(backlog.waiting, [&](const auto& task) {
      const bool late = task.second.expires_ms <= now;
      if (late) expired.push_back(task.second);
      return late;
    });
  }
  return expired;
}

} // namespace tcfdl::courier
