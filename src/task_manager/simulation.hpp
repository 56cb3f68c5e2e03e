// The scheduler over a trace in virtual time, on nodes that are made up.
#pragma once

#include "task_manager/trace.hpp"
#include "task_manager/types.hpp"

namespace tcfdl::task_manager {

struct SimulationSettings {
  std::size_t nodes = 10;
  unsigned concurrency = 2; ///< tasks that an instance runs at once
  std::uint64_t seed = 1;   ///< of the nodes and of the placement's draws
  PlacementKind placement = PlacementKind::kPredicted;
};

struct SimulationReport {
  std::size_t tasks = 0;
  std::size_t completed = 0;
  std::size_t refused = 0;       ///< the queue was full
  std::size_t late = 0;          ///< the deadline passed, in the queue or after
  std::uint64_t wait_p50_us = 0; ///< in the queue, of placed tasks
  std::uint64_t wait_p99_us = 0;
  std::uint64_t done_p50_us = 0; ///< from arrival to end, of completed tasks
  std::uint64_t done_p99_us = 0;
  double utilisation = 0;          ///< of all slots, from the first arrival to the last end
  double imbalance = 0;            ///< deviation of the nodes' utilisations over their mean; 0: all alike
  std::uint64_t decisions = 0;     ///< placements
  double decisions_per_second = 0; ///< of this machine's time in the scheduler; the one figure that varies
};

/// An instance a node, or one a function where those are more; functions have instances in proportion to their work in
/// the trace and the speed of the nodes. Nodes differ: slowness log-normal (within a factor of 13) with an average
/// speed of 1, round trip 0.2 ms plus exponential 2 ms, bandwidth 5 to 125 MB/s. Callers do not come again when
/// refused. Nothing is random but by the seed. INVALID_ARGUMENT for no nodes or no tasks.
Result<SimulationReport> simulate(const Trace& trace, const SimulationSettings& settings);

} // namespace tcfdl::task_manager
