// Which nodes are there: by their heartbeats, and by being asked where the next one is far.
#include "base/log.hpp"
#include "instance_manager/cluster_instances.hpp"

#include <algorithm>

namespace tcfdl::instance_manager {

/// How long a node may be silent. One that said that it is idle misses two heartbeats before it counts as lost.
std::chrono::milliseconds ClusterInstances::patience_with(const Node& node) const {
  const std::chrono::milliseconds promised(node.status.next_within_ms());
  return promised < settings_.node_lost_after ? settings_.node_lost_after : 2 * promised + settings_.node_lost_after;
}

bool ClusterInstances::is_overdue(const Node& node) const {
  const std::chrono::milliseconds promised(node.status.next_within_ms());
  return queue_.now() - node.seen >= std::max(settings_.node_lost_after, promised + settings_.node_lost_after / 2);
}

void ClusterInstances::lose_silent_nodes() {
  const auto now = queue_.now();
  std::vector<NodeId> silent;
  for (const auto& [id, node] : nodes_) {
    if (now - node.seen >= patience_with(node)) silent.push_back(id);
  }
  for (const auto& id : silent) {
    drop_node(id, fmt::format("no heartbeat for {} ms", patience_with(nodes_.at(id)).count()));
    lost_[id] = now;
  }
}

/// A node that was cut off for a while does not know that it was given up, and may be idle.
void ClusterInstances::ask_lost_nodes() {
  const auto now = queue_.now();
  if (lost_.empty() || now < ask_lost_at_) return;
  ask_lost_at_ = now + settings_.ask_lost_every;
  std::erase_if(lost_, [&](const auto& each) { return now - each.second >= settings_.ask_lost_for; });
  for (const auto& [id, since] : lost_) {
    outbox_.emplace_back([this, node = id] { commands_.ask_status(node); });
  }
}

void ClusterInstances::suspect_node(const NodeId& node) {
  post([this, node] {
    const auto found = nodes_.find(node);
    const bool is_far = found != nodes_.end() && patience_with(found->second) > settings_.node_lost_after;
    if (!is_far || std::exchange(found->second.probed, true)) return;
    outbox_.emplace_back([this, node] {
      executor_.run([this, node] {
        const auto answer = commands_.probe(node, Deadline::after(settings_.probe_within));
        post([this, node, answer] { handle_probed(node, answer); });
      });
    });
  });
}

void ClusterInstances::handle_probed(const NodeId& node, const Status& answer) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end() || !std::exchange(found->second.probed, false) || answer) return;
  drop_node(node, fmt::format("it is asked and {}", answer.error().to_string()));
  lost_[node] = queue_.now();
}

/// A heartbeat that says no more than that there is nothing new. A node of which nothing is known is asked for all.
void ClusterInstances::confirm(const wire::NodeStatus& report) {
  const NodeId id(report.node());
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) {
    outbox_.emplace_back([this, id] { commands_.ask_status(id); });
    return;
  }
  found->second.seen = queue_.now();
  found->second.probed = false;
  found->second.status.set_next_within_ms(report.next_within_ms());
}

} // namespace tcfdl::instance_manager
