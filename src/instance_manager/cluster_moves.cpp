// Instances leave a node that is loaded for long, one at a time, for one that is not.
#include "base/log.hpp"
#include "instance_manager/cluster_instances.hpp"
#include "instance_manager/system_status.hpp"

#include <algorithm>
#include <tuple>

namespace tcfdl::instance_manager {
namespace {

/// Tenths in use from which a node is loaded, and how many less another must have.
constexpr unsigned kLoaded = 9;
constexpr unsigned kLess = 4;

unsigned memory_tenths(const wire::NodeStatus& status) {
  const auto total = status.memory_total();
  return total == 0 ? 0 : static_cast<unsigned>((total - std::min(total, status.memory_available())) * 10 / total);
}

/// As measured, whatever instances were promised.
unsigned measured_tenths(const wire::NodeStatus& status) {
  return std::max(busy_tenths(status), memory_tenths(status));
}

} // namespace

/// What it uses of processors since the last report.
void ClusterInstances::measure(Known& known, const wire::InstanceStatus& before) {
  const auto now = queue_.now();
  const std::chrono::duration<double, std::micro> spent = now - std::exchange(known.measured_at, now);
  const auto& status = known.status;
  const bool goes_on = status.restarts() == before.restarts() && status.cpu_us() >= before.cpu_us();
  known.cores =
      goes_on && spent.count() > 0 ? static_cast<double>(status.cpu_us() - before.cpu_us()) / spent.count() : 0;
}

void ClusterInstances::relieve() {
  const auto now = queue_.now();
  for (auto& [id, node] : nodes_) {
    if (!is_fresh(node) || measured_tenths(node.status) < kLoaded) {
      node.loaded_since.reset();
    } else if (!node.loaded_since) {
      node.loaded_since = now;
    }
  }
  if (move_ && (!known_.contains(move_->instance) || now >= move_->until)) {
    move_.reset();
    no_move_before_ = now + settings_.move_pause; // the load of the last minute is to tell what came of it
  }
  if (move_ || now < no_move_before_) return;
  for (const auto& [id, node] : nodes_) {
    if (!node.loaded_since || now - *node.loaded_since < settings_.loaded_for) continue;
    ask_loads();
    begin_move(id);
    if (move_) return;
  }
}

/// Nodes that are idle say seldom how they are.
void ClusterInstances::ask_loads() {
  const auto now = queue_.now();
  for (auto& [id, node] : nodes_) {
    if (is_fresh(node) || now - node.measure_asked_at < settings_.load_counts_for) continue;
    node.measure_asked_at = now;
    outbox_.emplace_back([this, id] { commands_.ask_status(id); });
  }
}

bool ClusterInstances::is_fresh(const Node& node) const {
  return queue_.now() - node.measured_at <= settings_.load_counts_for;
}

/// Of what has a better place, the one that uses most.
void ClusterInstances::begin_move(const NodeId& from) {
  const auto now = queue_.now();
  const InstanceId* heaviest = nullptr;
  std::tuple<double, bool, std::uint64_t> most;
  for (const auto& [id, known] : known_) {
    const auto wanted = functions_.find(FunctionName(known.status.function()));
    if (known.node != from || !known.announced || known.stop_since || wanted == functions_.end()) continue;
    if (wanted->second.trial || known.status.version() != wanted->second.descriptor.version()) continue;
    if (now < wanted->second.stays_until || !has_better_place(wanted->second, from)) continue;
    const std::tuple uses(known.cores, events_.has_tasks(id), known.status.rss());
    if (heaviest != nullptr && uses <= most) continue;
    heaviest = &id;
    most = uses;
  }
  if (heaviest == nullptr) return;
  const auto& function = known_.at(*heaviest).status.function();
  spdlog::info("instances: {} is to leave node {}, which is loaded", *heaviest, from);
  move_ = {
      .instance = *heaviest, .function = FunctionName(function), .from = from, .until = now + settings_.move_within};
  functions_.at(move_->function).stays_until = now + settings_.stays_for; // or it follows its own load around
}

bool ClusterInstances::has_better_place(const Version& wanted, const NodeId& from) const {
  const auto load = measured_tenths(nodes_.at(from).status);
  return std::ranges::any_of(choices_for(wanted), [&](const NodeChoice& choice) {
    const auto& node = nodes_.at(choice.node);
    return choice.node != from && choice.room > 0 && is_fresh(node) && measured_tenths(node.status) + kLess <= load;
  });
}

bool ClusterInstances::leaves(const InstanceId& instance, const NodeId& node) const {
  return drained_.contains(node) || (move_ && move_->instance == instance);
}

} // namespace tcfdl::instance_manager
