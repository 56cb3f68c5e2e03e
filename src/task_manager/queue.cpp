#include "task_manager/queue.hpp"

#include <algorithm>
#include <ranges>

namespace tcfdl::task_manager {

/// A caller that waits, or that was served ahead of others so lately that it counts.
struct QueuedCaller {
  unsigned weight = 1;
  std::size_t waiting = 0;
  std::array<Flow, Queue::kClasses> flows;
  /// Waiting tasks as a multiple of its share.
  [[nodiscard]] double load() const { return static_cast<double>(waiting) / weight; }
};

Queue::Queue() = default;
Queue::~Queue() = default;

Queue::Pushed Queue::push(Ticket& ticket, const Claim& claim, std::size_t limit) {
  Pushed pushed;
  if (size_ >= limit) {
    pushed.displaced = displace_for(claim);
    if (pushed.displaced == nullptr) return pushed;
    remove(*pushed.displaced);
  }
  auto& flow = flow_of(claim);
  auto& its_class = classes_[flow.rank];
  if (flow.waiting.empty()) {
    flow.start = std::max(flow.start, its_class.now);
    flow.order = ++orders_;
    if (its_class.due.empty()) its_class.passed = 0;
    its_class.due.insert(&flow);
  }
  ticket.flow_ = &flow;
  ticket.position_ = flow.waiting.insert(flow.waiting.end(), &ticket);
  if (flow.caller->waiting++ == 0) ++busy_callers_;
  ++size_;
  pushed.taken = true;
  return pushed;
}

/// What makes room: the newest task, of the lowest class, of the caller that is most above its share. Null where that
/// is the one that comes.
Ticket* Queue::displace_for(const Claim& claim) {
  const QueuedCaller* heaviest = nullptr;
  for (const auto& [name, caller] : callers_) {
    if (heaviest == nullptr || caller->load() > heaviest->load()) heaviest = caller.get();
  }
  const auto known = callers_.find(claim.caller);
  const auto waiting = known == callers_.end() ? 0 : known->second->waiting;
  if (heaviest == nullptr || static_cast<double>(waiting + 1) / claim.weight >= heaviest->load()) return nullptr;
  for (const auto& flow : std::ranges::reverse_view(heaviest->flows)) {
    if (!flow.waiting.empty()) return flow.waiting.back();
  }
  return nullptr;
}

void Queue::remove(Ticket& ticket) {
  auto& flow = *ticket.flow_;
  flow.waiting.erase(ticket.position_);
  if (flow.waiting.empty()) classes_[flow.rank].due.erase(&flow);
  ticket.flow_ = nullptr;
  --size_;
  if (--flow.caller->waiting > 0) return;
  --busy_callers_;
  forget_idle();
}

void Queue::charge(Flow& flow) {
  auto& its_class = classes_[flow.rank];
  its_class.now = std::max(its_class.now, flow.start);
  its_class.due.erase(&flow);
  flow.start += 1.0 / flow.caller->weight;
  flow.order = ++orders_;
  its_class.due.insert(&flow);
  its_class.passed = 0;
  for (auto rank = flow.rank + 1; rank < kClasses; ++rank) {
    if (!classes_[rank].due.empty()) ++classes_[rank].passed;
  }
}

std::array<std::size_t, Queue::kClasses> Queue::order_of_classes() const {
  std::array<std::size_t, kClasses> order{0, 1, 2};
  // Those that were passed over too often first, the lowest of them foremost: it has waited for all the others.
  std::ranges::stable_sort(order, [this](std::size_t a, std::size_t b) {
    const bool a_owed = classes_[a].passed >= kPatience;
    const bool b_owed = classes_[b].passed >= kPatience;
    return a_owed != b_owed ? a_owed : a_owed && a > b;
  });
  return order;
}

Flow& Queue::flow_of(const Claim& claim) {
  auto& caller = callers_[claim.caller];
  if (!caller) {
    caller = std::make_unique<QueuedCaller>();
    for (std::size_t rank = 0; rank < kClasses; ++rank) {
      caller->flows[rank].caller = caller.get();
      caller->flows[rank].rank = rank;
    }
  }
  caller->weight = std::max(1U, claim.weight);
  return caller->flows[claim.rank];
}

/// A caller counts until the others have caught up with what it was served ahead of them.
void Queue::forget_idle() {
  constexpr std::size_t kAlwaysKept = 64;
  if (callers_.size() <= kAlwaysKept + 2 * busy_callers_) return;
  std::erase_if(callers_, [this](const auto& entry) {
    return entry.second->waiting == 0 && std::ranges::all_of(entry.second->flows, [this](const Flow& flow) {
             return classes_[flow.rank].due.empty() || flow.start <= classes_[flow.rank].now;
           });
  });
}

std::size_t Queue::size_of(const std::string& caller) const {
  const auto found = callers_.find(caller);
  return found == callers_.end() ? 0 : found->second->waiting;
}

} // namespace tcfdl::task_manager
