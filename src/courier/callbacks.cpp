#include "courier/callbacks.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <pthread.h>

namespace tcfdl::courier {
namespace {

constexpr int kGone = 410;

/// 1 s, then each time twice that, to 5 min.
std::chrono::milliseconds pause_after(std::int64_t attempts) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::minutes(5);
  return std::min(std::chrono::milliseconds(1000) * (1U << std::min<std::int64_t>(attempts, 9)), kLongest);
}

} // namespace

Callbacks::Callbacks(CallbackSettings settings, TaskStore& store, Receivers& receivers)
    : settings_(settings), store_(store), receivers_(receivers) {}

void Callbacks::start() {
  if (!threads_.empty()) return;
  for (unsigned i = 0; i < settings_.threads; ++i) {
    threads_.emplace_back([this] { work(); });
    ::pthread_setname_np(threads_.back().native_handle(), "callbacks");
  }
}

void Callbacks::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Callbacks::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto callback = take();
    if (!callback) {
      wake_.wait_for(lock, settings_.look_every, [this] { return stopping_; });
      continue;
    }
    lock.unlock();
    const bool recorded = tell(*callback);
    lock.lock();
    told_now_.erase(callback->ref);
    if (!recorded) wake_.wait_for(lock, settings_.patience, [this] { return stopping_; });
  }
}

/// One that is due and that no other thread has. With the mutex held.
std::optional<DueCallback> Callbacks::take() {
  auto due = store_.due_callbacks();
  if (!due) {
    spdlog::error("callbacks cannot be read: {}", due.error().to_string());
    return std::nullopt;
  }
  const auto found = std::ranges::find_if(*due, [this](const auto& one) { return !told_now_.contains(one.ref); });
  if (found == due->end()) return std::nullopt;
  told_now_.insert(found->ref);
  return std::move(*found);
}

/// Whether what became of it is on disk.
bool Callbacks::tell(const DueCallback& callback) {
  const auto status = post(callback);
  const bool is_over = status && ((*status >= 200 && *status < 300) || *status == kGone);
  if (!is_over) {
    spdlog::info("task {} is not taken at {}: {}", callback.ref.id, callback.url,
                 status ? fmt::format("status {}", *status) : status.error().to_string());
  }
  const auto kept = is_over ? store_.remove_callback(callback.ref)
                            : store_.put_callback_off(callback.ref, pause_after(callback.attempts));
  if (!kept) spdlog::error("the callback of task {} is not recorded: {}", callback.ref.id, kept.error().to_string());
  return bool(kept);
}

Result<int> Callbacks::post(const DueCallback& callback) {
  TCFDL_ASSIGN(const auto task, store_.get(callback.ref));
  UniqueFd result;
  if (!task.result_header().empty()) {
    TCFDL_ASSIGN(result, store_.open_result(callback.ref));
  }
  return receivers_.post(callback.url, task, result.get(), Deadline::after(settings_.patience));
}

} // namespace tcfdl::courier
