// Tasks that wait for a slot: fair between callers, in classes of priority, bounded.
#pragma once

#include "base/deadline.hpp"
#include "task_manager/types.hpp"

#include <list>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

namespace tcfdl::task_manager {

/// An instance chosen for a task, before the lease is signed.
struct Placed {
  wire::Lease lease;
  std::shared_ptr<const InstanceInfo> instance;
  std::shared_ptr<const FunctionPolicy> policy;
};

struct Flow;

/// One request on its way through the scheduler. Owned by whoever waits for it, who outlives its stay in a queue. All
/// but the request is guarded by the scheduler's mutex.
class Ticket {
public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// `now`: of the scheduler's time source.
  Ticket(const wire::LeaseRequest& request, TimePoint now)
      : request_(request), since_(now), until_(now + std::chrono::milliseconds(request.remaining_ms())) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  virtual ~Ticket() = default;

  [[nodiscard]] const wire::LeaseRequest& request() const noexcept { return request_; }
  [[nodiscard]] TimePoint since() const noexcept { return since_; }
  [[nodiscard]] TimePoint until() const noexcept { return until_; } ///< its deadline
  [[nodiscard]] bool settled() const noexcept { return outcome_.has_value(); }
  /// Once, when it is settled.
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): has a value then
  [[nodiscard]] Result<Placed> take() { return *std::move(outcome_); }

  /// Decides it, once, and wakes who waits.
  void settle(Result<Placed> outcome) {
    outcome_ = std::move(outcome);
    wake();
  }

protected:
  /// Called under the scheduler's mutex.
  virtual void wake() = 0;

private:
  friend class Queue;
  const wire::LeaseRequest& request_;
  TimePoint since_;
  TimePoint until_;
  std::optional<Result<Placed>> outcome_;
  Flow* flow_ = nullptr; // where it waits
  std::list<Ticket*>::iterator position_;
};

/// As whom a task waits.
struct Claim {
  std::string caller;
  unsigned weight = 1;
  std::size_t rank = 1; ///< of its class: 0 high, 1 normal, 2 low
};

struct QueuedCaller;

/// One caller's waiting tasks of one class, in the order of their arrival.
struct Flow {
  QueuedCaller* caller = nullptr;
  std::size_t rank = 0;
  std::list<Ticket*> waiting;
  double start = 0;        ///< virtual time at which the first of them is due
  std::uint64_t order = 0; ///< among equals
};

/// Start-time fair queueing (Goyal, Vin and Cheng 1996) between callers, in each of three classes. A task that is
/// served costs its caller 1 / weight of virtual time; tasks that leave unserved cost nothing. A class is served before
/// those below it, but `kPatience` times at most in a row while one below waits. When the queue is full, who has less
/// than its share of it pushes out the newest task of the caller that is most above its own. Not thread-safe.
class Queue {
public:
  static constexpr std::size_t kClasses = 3;
  /// Tasks of higher classes that are served while a class waits for its next one.
  static constexpr unsigned kPatience = 8;

  enum class Answer : std::uint8_t {
    kTaken,  ///< served, which counts
    kGone,   ///< settled without being served
    kLeft,   ///< stays
    kEnough, ///< no more now
  };

  struct Pushed {
    bool taken = false;
    Ticket* displaced = nullptr; ///< left for the one that came; not settled
  };

  Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue();

  /// `limit`: of all waiting tickets.
  Pushed push(Ticket& ticket, const Claim& claim, std::size_t limit);
  void remove(Ticket& ticket);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// How many tickets of a caller wait.
  [[nodiscard]] std::size_t size_of(const std::string& caller) const;

  /// Offers tickets to `take(Ticket&)`, those first whose turn it is, until it answers kEnough or leaves all. Those
  /// that are taken or gone leave, settled by it.
  template <class Take> void offer(Take&& take) {
    while (offer_one(take)) continue;
  }

private:
  using Due = std::set<Flow*, bool (*)(const Flow*, const Flow*)>;
  struct Class {
    Due due{&Queue::is_before}; // flows with waiting tickets
    double now = 0;             // virtual time: when the last one that was served was due
    unsigned passed = 0;        // how often higher classes were served meanwhile
  };

  static bool is_before(const Flow* a, const Flow* b) {
    return a->start != b->start ? a->start < b->start : a->order < b->order;
  }
  /// The classes in the order in which they are served now.
  [[nodiscard]] std::array<std::size_t, kClasses> order_of_classes() const;
  Flow& flow_of(const Claim& claim);
  Ticket* displace_for(const Claim& claim);
  void charge(Flow& flow);
  void forget_idle();

  /// Whether a ticket left, after which the order may be another.
  template <class Take> bool offer_one(Take& take) {
    for (const auto rank : order_of_classes()) {
      for (auto* flow : classes_[rank].due) {
        for (auto* ticket : flow->waiting) {
          const auto answer = take(*ticket);
          if (answer == Answer::kEnough) return false;
          if (answer == Answer::kLeft) continue;
          if (answer == Answer::kTaken) charge(*flow);
          remove(*ticket);
          return true;
        }
      }
    }
    return false;
  }

  std::array<Class, kClasses> classes_;
  std::unordered_map<std::string, std::unique_ptr<QueuedCaller>> callers_;
  std::size_t size_ = 0;
  std::size_t busy_callers_ = 0; // with waiting tickets
  std::uint64_t orders_ = 0;
};

} // namespace tcfdl::task_manager
