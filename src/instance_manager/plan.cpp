#include "instance_manager/plan.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace tcfdl::instance_manager {
namespace {

using Counts = std::map<NodeId, std::size_t>;

/// Instances that do not get ready go first, then those of the kind that there are too many of, idle ones first, then
/// those of the fullest nodes.
void stop_surplus(std::vector<InstanceView> current, std::size_t scale, std::size_t total, Counts counts, Plan& plan) {
  while (current.size() > total) {
    const auto working = static_cast<std::size_t>(
        std::ranges::count_if(current, [](const auto& each) { return each.ready && !each.warm; }));
    const bool warm_first = working <= scale;
    const auto worst = std::ranges::max_element(current, {}, [&](const InstanceView& each) {
      return std::tuple(!each.ready, !each.counts, each.warm == warm_first, !each.busy, counts[each.node], each.id);
    });
    --counts[worst->node];
    plan.stop.push_back(worst->id);
    current.erase(worst);
  }
}

void start_missing(std::size_t missing, std::span<const NodeChoice> nodes, Counts counts, Plan& plan) {
  Counts added;
  for (; missing > 0; --missing) {
    const auto best = std::ranges::min_element(nodes, {}, [&](const NodeChoice& each) {
      const bool full = added[each.node] >= each.room;
      return std::tuple(full, counts[each.node], each.is_master, each.in_use, each.instances + added[each.node],
                        each.node);
    });
    if (best == nodes.end() || added[best->node] >= best->room) break;
    ++counts[best->node];
    ++added[best->node];
    plan.start.push_back(best->node);
  }
  plan.unplaced = missing;
}

} // namespace

Plan make_plan(std::uint64_t version, std::size_t scale, std::span<const InstanceView> instances,
               std::span<const NodeChoice> nodes, std::size_t keep, std::size_t warm) {
  Plan plan;
  Counts counts;
  std::vector<InstanceView> current;
  const auto is_replaced = [version](const InstanceView& each) { return each.version != version || each.leaves; };
  for (const auto& each : instances) {
    if (is_replaced(each)) continue;
    current.push_back(each);
    ++counts[each.node];
  }
  if (static_cast<std::size_t>(std::ranges::count(current, true, &InstanceView::ready)) >= scale) {
    for (const auto& each : instances) {
      if (is_replaced(each)) plan.stop.push_back(each.id);
    }
    stop_surplus(current, scale, std::max(scale, keep) + warm, counts, plan);
  }
  const auto total = scale + warm;
  const auto counting = static_cast<std::size_t>(std::ranges::count(current, true, &InstanceView::counts));
  const auto lacking = total - std::min(total, counting);
  const auto allowed = 2 * total - std::min(2 * total, current.size());
  start_missing(std::min(lacking, allowed), nodes, std::move(counts), plan);
  return plan;
}

} // namespace tcfdl::instance_manager
