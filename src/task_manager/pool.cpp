#include "task_manager/pool.hpp"

#include <algorithm>
#include <cmath>

namespace tcfdl::task_manager {
namespace {

/// Two would spread the load as well; more find the fast ones.
constexpr std::size_t kDrawn = 8;
constexpr std::size_t kMostLocal = 8;
constexpr double kHalfLifeSeconds = 60;

bool is_among(const std::vector<Instance*>& instances, const Instance* one) {
  return std::ranges::find(instances, one) != instances.end();
}

} // namespace

Instance& Pool::add(std::shared_ptr<const InstanceInfo> info, Node& node) {
  auto& instance = *instances_.emplace_back(std::make_unique<Instance>());
  instance.index = instances_.size() - 1;
  place_at(instance, std::move(info), node);
  enter(instance);
  return instance;
}

void Pool::update(Instance& instance, std::shared_ptr<const InstanceInfo> info, Node& node) {
  drain(instance);
  std::erase(instance.node->instances, &instance);
  instance.draining = false;
  place_at(instance, std::move(info), node);
  enter(instance);
}

void Pool::place_at(Instance& instance, std::shared_ptr<const InstanceInfo> info, Node& node) {
  instance.info = std::move(info);
  instance.node = &node;
  instance.speed = &speeds_[instance.info->node];
  node.instances.push_back(&instance);
}

void Pool::remove(Instance& instance) {
  drain(instance);
  std::erase(instance.node->instances, &instance);
  const auto index = instance.index;
  if (index + 1 < instances_.size()) {
    std::swap(instances_[index], instances_.back());
    instances_[index]->index = index;
  }
  instances_.pop_back();
}

void Pool::set_serving(std::uint64_t version, unsigned concurrency) {
  serving_ = version;
  concurrency_ = std::max(1U, concurrency);
  rebuild();
}

bool Pool::has_version(std::uint64_t version) const {
  return std::ranges::any_of(instances_, [&](const auto& each) { return each->info->version == version; });
}

bool Pool::takes_tasks(const Instance& instance) const {
  return !instance.draining && !ready_.empty() && instance.info->version >= lowest_taker();
}

/// The version that serves, or the newest that there is where that is older.
std::uint64_t Pool::lowest_taker() const { return std::min(serving_, ready_.rbegin()->first); }

std::size_t Pool::takers() const {
  std::size_t count = 0;
  if (ready_.empty()) return count;
  for (auto at = ready_.lower_bound(lowest_taker()); at != ready_.end(); ++at) count += at->second;
  return count;
}

/// Begins to count as ready.
void Pool::enter(Instance& instance) {
  const bool newer = ready_.empty() || instance.info->version > ready_.rbegin()->first;
  ++ready_[instance.info->version];
  if (newer) return rebuild();
  refresh(instance);
}

void Pool::drain(Instance& instance) {
  if (std::exchange(instance.draining, true)) return;
  remove_free(instance);
  const auto found = ready_.find(instance.info->version);
  const bool was_newest = std::next(found) == ready_.end();
  if (--found->second > 0) return;
  ready_.erase(found);
  if (was_newest) rebuild();
}

void Pool::rebuild() {
  for (auto* instance : free_) instance->free_index = Instance::kNowhere;
  free_.clear();
  for (const auto& instance : instances_) refresh(*instance);
}

void Pool::refresh(Instance& instance) {
  const bool is_free = takes_tasks(instance) && instance.leases.size() < concurrency_;
  if (is_free && instance.free_index == Instance::kNowhere) add_free(instance);
  if (!is_free) remove_free(instance);
}

void Pool::add_free(Instance& instance) {
  instance.free_index = free_.size();
  free_.push_back(&instance);
}

void Pool::remove_free(Instance& instance) {
  const auto index = std::exchange(instance.free_index, Instance::kNowhere);
  if (index == Instance::kNowhere) return;
  if (index + 1 < free_.size()) {
    free_[index] = free_.back();
    free_[index]->free_index = index;
  }
  free_.pop_back();
}

void Pool::learn(Instance& instance, double run_us, std::chrono::steady_clock::time_point now) {
  instance.speed->us = moving_average(instance.speed->us, run_us);
  instance.speed->at = now;
  service_us_ = moving_average(service_us_, run_us);
}

double Pool::expected_us(const Instance& instance, std::chrono::steady_clock::time_point now) const {
  if (instance.speed->us == 0) return service_us_ / 2;
  const std::chrono::duration<double> age = now - instance.speed->at;
  return service_us_ + (instance.speed->us - service_us_) * std::exp2(-age.count() / kHalfLifeSeconds);
}

bool Pool::all_excluded(const Ask& ask) const {
  const auto excluded = std::ranges::count_if(ask.excluded, [this](const auto* each) { return takes_tasks(*each); });
  return !ready_.empty() && static_cast<std::size_t>(excluded) == takers();
}

void Pool::look_at_all(const Ask& ask) {
  looked_at_.clear();
  for (auto* instance : free_) {
    if (ask.excluded.empty() || !is_among(ask.excluded, instance)) looked_at_.push_back(instance);
  }
}

void Pool::look_at_some(const Ask& ask) {
  const auto look_at = [&](Instance* instance) {
    if (!is_among(ask.excluded, instance) && !is_among(looked_at_, instance)) looked_at_.push_back(instance);
  };
  for (std::size_t tries = 0; tries < 4 * kDrawn && looked_at_.size() < kDrawn; ++tries) {
    look_at(free_[draws_.below(free_.size())]);
  }
  if (ask.caller_node == nullptr) return;
  for (auto* instance : ask.caller_node->instances) {
    if (looked_at_.size() >= kDrawn + kMostLocal) return;
    const auto index = instance->free_index; // of another pool's instance it may be any
    if (index < free_.size() && free_[index] == instance) look_at(instance);
  }
}

Instance* Pool::choose(const Ask& given) {
  if (free_.empty()) return nullptr;
  if (given.excluded.empty() || !all_excluded(given)) return choose_among(given);
  auto all = given;
  all.excluded.clear();
  return choose_among(all);
}

Instance* Pool::choose_among(const Ask& ask) {
  ++turn_;
  switch (kind_) {
  case PlacementKind::kRandom: return choose_at_random(ask);
  case PlacementKind::kRoundRobin: return choose_in_turn(ask);
  case PlacementKind::kLeastLoaded: return choose_least_loaded(ask);
  case PlacementKind::kPredicted: break;
  }
  return choose_predicted(ask);
}

Instance* Pool::choose_predicted(const Ask& ask) {
  looked_at_.clear();
  if (free_.size() > kAllCompared) look_at_some(ask);
  if (looked_at_.empty()) look_at_all(ask);
  candidates_.clear();
  for (const auto* instance : looked_at_) {
    candidates_.push_back({.in_flight = static_cast<unsigned>(instance->leases.size()),
                           .concurrency = concurrency_,
                           .service_us = expected_us(*instance, ask.now),
                           .transfer_us = instance->node->ways.transfer_us(ask.from, ask.bytes),
                           .local = ask.caller_node != nullptr && instance->node == ask.caller_node,
                           .excluded = false});
  }
  const auto chosen = task_manager::choose(candidates_, turn_);
  return chosen ? looked_at_[*chosen] : nullptr;
}

Instance* Pool::choose_at_random(const Ask& ask) {
  if (ask.excluded.empty()) return free_[draws_.below(free_.size())];
  look_at_all(ask);
  return looked_at_.empty() ? nullptr : looked_at_[draws_.below(looked_at_.size())];
}

/// The next free one after the one that had the last turn.
Instance* Pool::choose_in_turn(const Ask& ask) {
  for (std::size_t step = 0; step < instances_.size(); ++step) {
    auto* instance = instances_[cursor_++ % instances_.size()].get();
    if (instance->free_index != Instance::kNowhere && !is_among(ask.excluded, instance)) return instance;
  }
  return nullptr;
}

Instance* Pool::choose_least_loaded(const Ask& ask) {
  look_at_all(ask);
  if (looked_at_.empty()) return nullptr;
  const auto first = static_cast<std::ptrdiff_t>(turn_ % looked_at_.size());
  std::ranges::rotate(looked_at_, looked_at_.begin() + first);
  return *std::ranges::min_element(looked_at_, {}, [](const Instance* each) { return each->leases.size(); });
}

} // namespace tcfdl::task_manager
