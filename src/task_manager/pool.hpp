// The instances of one function: which are free, how fast they are, and which of them takes a task.
#pragma once

#include "task_manager/draws.hpp"
#include "task_manager/placement.hpp"
#include "task_manager/types.hpp"
#include "task_manager/ways.hpp"

#include <memory>
#include <unordered_map>

namespace tcfdl::task_manager {

struct ActiveLease;
struct Instance;

/// A node that instances were on; kept for what was learnt of it.
struct Node {
  std::vector<Instance*> instances;
  Ways ways;
};

/// The moving average of a function's run time on one node.
struct Speed {
  double us = 0; ///< 0: not measured
  std::chrono::steady_clock::time_point at;
};

struct Instance {
  static constexpr auto kNowhere = static_cast<std::size_t>(-1);

  std::shared_ptr<const InstanceInfo> info;
  std::uint64_t incarnation = 0;
  Node* node = nullptr;
  Speed* speed = nullptr;
  std::vector<ActiveLease*> leases; ///< each holds a slot
  bool draining = false;
  std::chrono::milliseconds silence{0};                 ///< for how long it is avoided; 0: it answers
  std::chrono::steady_clock::time_point silent_until{}; ///< when a task tries it again
  std::size_t index = kNowhere;                         ///< in its pool
  std::size_t free_index = kNowhere;                    ///< among the free of its pool
};

/// What placement asks about.
struct Ask {
  std::string from{}; ///< the caller's node; empty: none of the cluster
  const Node* caller_node = nullptr;
  std::uint64_t bytes = 0;
  std::vector<Instance*> excluded{}; ///< each once
  std::chrono::steady_clock::time_point now{};
};

/// Constant time a task, but for the few instances that are compared: all that are free, or of many eight that are
/// drawn (the power of choices, Mitzenmacher 2001) and those on the caller's node. Instances of the version that serves
/// and of newer ones take tasks; of older ones only while there are no others. Not thread-safe.
class Pool {
public:
  /// Up to so many free instances are all compared.
  static constexpr std::size_t kAllCompared = 32;

  Pool(PlacementKind kind, std::uint64_t seed) : kind_(kind), draws_(seed) {}

  Instance& add(std::shared_ptr<const InstanceInfo> info, Node& node);
  void update(Instance& instance, std::shared_ptr<const InstanceInfo> info, Node& node);
  void drain(Instance& instance);
  void remove(Instance& instance);
  /// The version in force, and how many tasks an instance runs at once.
  void set_serving(std::uint64_t version, unsigned concurrency);
  /// After its leases have changed.
  void refresh(Instance& instance);

  /// Null when none is free that the task may use. Excluded ones count only if all are.
  Instance* choose(const Ask& ask);
  /// A task ran so long there.
  void learn(Instance& instance, double run_us, std::chrono::steady_clock::time_point now);

  [[nodiscard]] std::size_t size() const noexcept { return instances_.size(); }
  [[nodiscard]] bool has_ready() const noexcept { return !ready_.empty(); }
  [[nodiscard]] bool has_free() const noexcept { return !free_.empty(); }
  [[nodiscard]] bool has_version(std::uint64_t version) const;
  /// Tasks that may run at once.
  [[nodiscard]] std::size_t slots() const { return takers() * concurrency_; }
  /// Moving average over all instances; 0: none yet.
  [[nodiscard]] double service_us() const noexcept { return service_us_; }
  /// What is expected of one. It returns to the average of all with a half-life of a minute, so that what was slow once
  /// is tried again; half of that average where nothing was measured; 0 where nothing was measured anywhere.
  [[nodiscard]] double expected_us(const Instance& instance, std::chrono::steady_clock::time_point now) const;

private:
  void enter(Instance& instance);
  void place_at(Instance& instance, std::shared_ptr<const InstanceInfo> info, Node& node);
  void rebuild();
  void add_free(Instance& instance);
  void remove_free(Instance& instance);
  [[nodiscard]] bool takes_tasks(const Instance& instance) const;
  [[nodiscard]] std::uint64_t lowest_taker() const;
  [[nodiscard]] std::size_t takers() const;
  [[nodiscard]] bool all_excluded(const Ask& ask) const;
  void look_at_all(const Ask& ask);
  void look_at_some(const Ask& ask);
  Instance* choose_among(const Ask& ask);
  Instance* choose_predicted(const Ask& ask);
  Instance* choose_at_random(const Ask& ask);
  Instance* choose_in_turn(const Ask& ask);
  Instance* choose_least_loaded(const Ask& ask);

  const PlacementKind kind_;
  Draws draws_;
  unsigned concurrency_ = 1;
  std::uint64_t serving_ = 0;
  double service_us_ = 0;
  std::size_t turn_ = 0;
  std::size_t cursor_ = 0; // of the round robin
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<Instance*> free_;
  std::map<std::uint64_t, std::size_t> ready_; // instances that do not drain, by version
  std::unordered_map<NodeId, Speed> speeds_;
  std::vector<Instance*> looked_at_; // of one choice
  std::vector<Candidate> candidates_;
};

} // namespace tcfdl::task_manager
