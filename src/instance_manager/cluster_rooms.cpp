// Where the instances of a cluster have room, and what is said where they have none.
#include "base/log.hpp"
#include "instance_manager/cluster_instances.hpp"
#include "instance_manager/system_status.hpp"

#include <algorithm>

namespace tcfdl::instance_manager {
namespace {

constexpr std::size_t kMostNamed = 8; // nodes in one text

bool admits(const wire::Descriptor& descriptor, const std::string& tee_kind) {
  return descriptor.tee_kinds().empty() ||
         std::ranges::find(descriptor.tee_kinds(), tee_kind) != descriptor.tee_kinds().end();
}

NodeRoom whole(const wire::NodeStatus& status) {
  NodeRoom room;
  room.memory = {status.memory_total(), status.memory_available()};
  room.enclave_memory = {status.enclave_memory(), status.enclave_memory()};
  const auto millicores = std::uint64_t{status.cores()} * 1000;
  room.millicores = {millicores, millicores};
  room.labels.insert(status.labels().begin(), status.labels().end());
  return room;
}

} // namespace

/// What is left where everything has what it was promised.
std::map<NodeId, NodeRoom> ClusterInstances::measure_rooms() const {
  std::map<NodeId, NodeRoom> rooms;
  for (const auto& [id, node] : nodes_) rooms[id] = whole(node.status);
  const auto reserve = [&](const NodeId& node, const FunctionName& function, std::uint64_t used) {
    const auto room = rooms.find(node);
    const auto wanted = functions_.find(function);
    if (room != rooms.end() && wanted != functions_.end()) room->second.reserve(wanted->second.what.needs, used);
  };
  for (const auto& [id, known] : known_) reserve(known.node, FunctionName(known.status.function()), known.status.rss());
  for (const auto& [id, ordered] : ordered_) reserve(ordered.node, ordered.function, 0);
  return rooms;
}

std::vector<NodeChoice> ClusterInstances::choices_for(const Version& wanted) const {
  std::vector<NodeChoice> choices;
  if (!expected_.empty() && queue_.now() < expected_until_) return choices; // they may run what seems to lack
  for (const auto& [id, node] : nodes_) {
    if (!admits(wanted.descriptor, node.status.tee_kind()) || queue_.now() < node.avoid_until) continue;
    if (drained_.contains(id)) continue;
    if (move_ && move_->from == id && move_->function.str() == wanted.descriptor.name()) continue;
    const auto& room = rooms_.at(id);
    const auto ordered = std::ranges::count_if(ordered_, [&](const auto& each) { return each.second.node == id; });
    choices.push_back({.node = id,
                       .is_master = node.status.role() == "master",
                       .instances = static_cast<std::size_t>(node.status.instances_size() + ordered),
                       .room = room_for(wanted.what.needs, room),
                       .in_use = std::max(tenths_in_use(room), busy_tenths(node.status))});
  }
  return choices;
}

/// What each node lacks for one more instance; empty when one has room.
std::string ClusterInstances::why_nowhere(const Version& wanted) const {
  std::vector<std::string> reasons;
  for (const auto& [id, node] : nodes_) {
    const auto& kind = node.status.tee_kind();
    if (kind.empty()) continue; // it hosts nothing
    auto lacks = admits(wanted.descriptor, kind)
                     ? shortage(wanted.what.needs, rooms_.at(id))
                     : fmt::format("TEE: {} wanted, it is {}", fmt::join(wanted.descriptor.tee_kinds(), " or "), kind);
    if (drained_.contains(id)) lacks = "it is drained";
    if (lacks.empty()) return {};
    reasons.push_back(fmt::format("{}: {}", id, lacks));
  }
  if (reasons.empty()) return "there is no node for instances now";
  const auto more = reasons.size() - std::min(reasons.size(), kMostNamed);
  reasons.resize(reasons.size() - more);
  return fmt::format("no node has room for an instance: {}{}", fmt::join(reasons, "; "),
                     more == 0 ? std::string() : fmt::format("; and {} nodes more", more));
}

/// Decides what is said about a function's instances. Nodes that refused an order are avoided for a while: then their
/// reason stands. A function at zero is told whether it could start.
void ClusterInstances::judge(const FunctionName& name, Wanted& wanted, const Plan& plan, std::size_t ready) {
  const auto scale = wanted.what.scale;
  const bool asks = plan.unplaced > 0 || (scale == 0 && !nodes_.empty());
  const auto nowhere = asks ? why_nowhere(wanted) : std::string();
  if (!nowhere.empty()) {
    const auto some = ready == 0 ? std::string() : fmt::format("{} of {} instances of {} run; ", ready, scale, name);
    wanted.problem = some + nowhere;
  } else if (wanted.fits_nowhere || ready >= scale) {
    wanted.problem.clear();
  }
  wanted.fits_nowhere = !nowhere.empty();
}

void ClusterInstances::tell_problem(const FunctionName& name, Wanted& wanted) {
  if (wanted.told == wanted.problem) return;
  wanted.told = wanted.problem;
  outbox_.emplace_back([this, name, problem = wanted.problem] { events_.on_problem(name, problem); });
}

} // namespace tcfdl::instance_manager
