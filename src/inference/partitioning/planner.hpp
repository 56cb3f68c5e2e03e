// Cuts a model into stages: exact over all ways to cut its operators' order, by dynamic programming.
#pragma once

#include "inference/partitioning/memory.hpp"

namespace tcfdl::inference {

/// Nodes that are alike.
struct NodeType {
  std::string name;
  std::size_t count = 1;
  double speed = 1;                   ///< times this machine's
  std::uint64_t memory = 0;           ///< of an enclave, bytes
  double bandwidth = 100.0 * 1048576; ///< of its link, bytes a second
};

/// What lies between stages.
struct LinkModel {
  double latency_us = 200;
  double sealing = 2.0 * 1073741824; ///< bytes a second that are sealed, or opened, at speed 1
};

enum class Objective : std::uint8_t {
  kThroughput, ///< the least time of the slowest stage, then the least latency
  kLatency,    ///< the least sum over all stages, then the least bottleneck
};

constexpr std::size_t kMostStages = 64;
constexpr std::size_t kMostOperators = 100'000;

struct PlannerSettings {
  std::vector<NodeType> nodes;
  std::size_t stages = 0; ///< 0: the fewest that fit
  Objective objective = Objective::kThroughput;
  LinkModel link = {};
};

struct PlannedStage {
  std::size_t begin = 0; ///< operators [begin, end)
  std::size_t end = 0;
  std::size_t node = 0; ///< its type of nodes
  StageFigures figures = {};
  double compute_us = 0; ///< with sealing and opening
  double receive_us = 0;
  double send_us = 0;
  /// Work, receiving and sending overlap between tasks: the slowest of them decides.
  [[nodiscard]] double occupied_us() const;
};

struct Partition {
  std::vector<PlannedStage> stages;
  double bottleneck_us = 0; ///< between two results, when the pipeline is full
  double latency_us = 0;    ///< of one task, from its tensors' departure to the result's arrival
};

/// What numbers of stages would give.
struct Alternative {
  std::size_t stages = 0;
  double bottleneck_us = 0;
  double latency_us = 0;
};

struct PlannerResult {
  Partition best;
  std::vector<Alternative> alternatives; ///< the best of each number of stages, those that fit
};

/// The best partition whose stages all fit. A tensor goes from the stage that makes it to each that reads it, once.
/// Positions where a tensor that cannot travel is alive are no cuts. All positions are tried where that takes seconds;
/// of larger graphs, those in each window whose tensors are the fewest bytes. RESOURCE_EXHAUSTED names the operator
/// that needs more than the largest node has even alone, or says how many nodes are lacking; INVALID_ARGUMENT for
/// settings that make no sense.
Result<PlannerResult> partition_graph(const Graph& graph, const MemoryModel& memory, const PlannerSettings& settings);

/// Times of operators [begin, end) on one of the nodes.
PlannedStage planned_stage(const StageFigures& figures, std::size_t begin, std::size_t end, std::size_t node,
                           const PlannerSettings& settings);

/// Bottleneck and latency of stages that follow each other.
Partition partition_of(std::vector<PlannedStage> stages, const PlannerSettings& settings);

/// The positions, 0 and the operators' number among them, where a cut may lie; at most about `most`.
std::vector<std::size_t> cut_positions(const Graph& graph, const Lifetimes& lifetimes, std::size_t most);

} // namespace tcfdl::inference
