// Instances that are ready before they are needed, and get tasks once they are.
#include "base/log.hpp"
#include "instance_manager/cluster_instances.hpp"

#include <algorithm>

namespace tcfdl::instance_manager {

/// Ready, and nobody leads tasks there.
bool ClusterInstances::is_warm(const Known& known) const {
  if (known.announced || known.stop_since || known.status.state() != wire::INSTANCE_STATE_READY) return false;
  const auto wanted = functions_.find(FunctionName(known.status.function()));
  return wanted != functions_.end() && wanted->second.descriptor.version() == known.status.version();
}

std::size_t ClusterInstances::working(const FunctionName& name, std::uint64_t version) const {
  return static_cast<std::size_t>(std::ranges::count_if(known_, [&](const auto& each) {
    const auto& known = each.second;
    return known.announced && !known.stop_since && known.status.version() == version &&
           known.status.function() == name.str() && !drained_.contains(known.node);
  }));
}

/// From now on it takes tasks.
void ClusterInstances::take_up(const InstanceId& id, Known& known) {
  const auto& status = known.status;
  known.announced = true;
  const auto node = nodes_.find(known.node);
  const ReadyInstance ready{.instance = id,
                            .function = FunctionName(status.function()),
                            .node = known.node,
                            .tee_kind = node == nodes_.end() ? std::string() : node->second.status.tee_kind(),
                            .addresses = {status.addresses().begin(), status.addresses().end()},
                            .version = status.version()};
  outbox_.emplace_back([this, ready] { events_.on_ready(ready); });
}

/// As many as are to work, of those that are warm. Those of before this master worked, as far as it knows.
void ClusterInstances::take_up_missing(const FunctionName& name, const Wanted& wanted) {
  const auto scale = wanted.what.scale;
  const auto kept = std::max(scale, wanted.what.keep);
  auto count = working(name, wanted.descriptor.version());
  for (auto& [id, known] : known_) {
    if (count >= (known.found ? kept : scale)) continue;
    if (known.status.function() != name.str() || !is_warm(known) || drained_.contains(known.node)) continue;
    take_up(id, known);
    ++count;
  }
}

} // namespace tcfdl::instance_manager
