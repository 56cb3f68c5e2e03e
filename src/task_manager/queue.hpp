// Tasks that wait for a slot, in the order of their arrival.
#pragma once

#include "base/deadline.hpp"
#include "task_manager/types.hpp"

#include <condition_variable>
#include <list>
#include <memory>
#include <optional>

namespace tcfdl::task_manager {

/// An instance chosen for a task, before the lease is signed.
struct Placed {
  wire::Lease lease;
  std::shared_ptr<const InstanceInfo> instance;
  std::shared_ptr<const FunctionPolicy> policy;
};

/// One request on its way through the scheduler. Owned by the thread that waits for it, which outlives its stay in a
/// queue. All but the request is guarded by the scheduler's mutex.
class Ticket {
public:
  Ticket(const wire::LeaseRequest& request, Deadline deadline) : request_(request), deadline_(deadline) {}

  [[nodiscard]] const wire::LeaseRequest& request() const noexcept { return request_; }
  [[nodiscard]] Deadline deadline() const noexcept { return deadline_; }
  [[nodiscard]] std::chrono::steady_clock::duration waited() const { return Deadline::Clock::now() - since_; }
  [[nodiscard]] bool settled() const noexcept { return outcome_.has_value(); }
  /// Once, when it is settled.
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): has a value then
  [[nodiscard]] Result<Placed> take() { return *std::move(outcome_); }

  /// Decides it, once, and wakes its thread.
  void settle(Result<Placed> outcome) {
    outcome_ = std::move(outcome);
    wake_.notify_one();
  }

  /// False when the deadline passed first. `lock` holds the scheduler's mutex.
  bool wait(std::unique_lock<std::mutex>& lock) {
    return wake_.wait_until(lock, deadline_.when(), [this] { return settled(); });
  }

private:
  friend class Queue;
  const wire::LeaseRequest& request_;
  Deadline deadline_;
  Deadline::Clock::time_point since_ = Deadline::Clock::now();
  std::condition_variable wake_;
  std::optional<Result<Placed>> outcome_;
  std::list<Ticket*>::iterator position_;
};

/// Bounded and first in, first out; a ticket may leave from the middle in constant time. Not thread-safe.
class Queue {
public:
  enum class Answer : std::uint8_t { kTaken, kLeft, kEnough };

  /// False when `limit` tickets wait.
  bool push(Ticket& ticket, std::size_t limit);
  void remove(Ticket& ticket) { waiting_.erase(ticket.position_); }
  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }

  /// Offers tickets to `take(Ticket&)`, oldest first, until it answers kEnough. Those it takes leave, settled by it.
  template <class Take> void offer(Take&& take) {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const auto answer = take(**at);
      if (answer == Answer::kEnough) return;
      at = answer == Answer::kTaken ? waiting_.erase(at) : std::next(at);
    }
  }

private:
  std::list<Ticket*> waiting_;
};

} // namespace tcfdl::task_manager
