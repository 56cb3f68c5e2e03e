// What a stage needs of memory: predicted from the graph, corrected by what was measured.
#pragma once

#include "inference/partitioning/graph.hpp"

#include <map>

namespace tcfdl::inference {

/// Sizes of a stage of consecutive operators, bytes unless said.
struct StageFigures {
  std::uint64_t memory = 0; ///< peak of the whole process
  std::uint64_t weights = 0;
  std::uint64_t activations = 0; ///< peak of the tensors that it makes
  std::uint64_t received = 0;
  std::uint64_t sent = 0; ///< each tensor once, whoever reads it
  double time_us = 0;     ///< on a node of speed 1
};

/// Bytes that a loaded graph takes besides its weights, after measurements of packed stages.
constexpr std::uint64_t kGraphBytes = 300'000;
constexpr std::uint64_t kOperatorBytes = 10'000;

/// The corrections. ONNX Runtime keeps buffers longer and larger than their lifetimes say: 1 to 2.5 times, 2.5 where
/// the graph branches.
class MemoryModel {
public:
  /// `base` is the peak of a process that runs an operator without weights.
  MemoryModel(std::size_t operators, std::uint64_t base) : base_(base), factor_(operators, 1.0), extra_(operators) {}

  /// The peak of a measured stage is exact for that stage.
  void remember(std::size_t begin, std::size_t end, std::uint64_t measured) { measured_[{begin, end}] = measured; }

  /// Corrects all stages that share operators with a measured one. `uncorrected` are its figures in a model that learnt
  /// nothing.
  void learn(std::size_t begin, std::size_t end, const StageFigures& uncorrected, std::uint64_t measured);

  /// Halves the corrections: those of a large stage are too much for the small ones within it.
  void relax();

  /// The measured peak of exactly this stage; 0 when it was not measured.
  [[nodiscard]] std::uint64_t measured(std::size_t begin, std::size_t end) const;

  [[nodiscard]] std::uint64_t base() const noexcept { return base_; }
  [[nodiscard]] double factor(std::size_t index) const { return factor_[index]; }
  [[nodiscard]] std::uint64_t extra(std::size_t index) const { return extra_[index]; }

private:
  std::uint64_t base_;
  std::vector<double> factor_;       ///< by operator, of the tensors that live while it runs
  std::vector<std::uint64_t> extra_; ///< by operator: what no factor explains
  std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> measured_;
};

/// The figures of all stages that begin at one operator, each a step longer than the one before: constant time a step,
/// apart from the operator's tensors.
class StageScan {
public:
  StageScan(const Graph& graph, const Lifetimes& lifetimes, const MemoryModel& memory)
      : graph_(graph), lifetimes_(lifetimes), memory_(memory), seen_tensor_(graph.tensors.size()),
        seen_weight_(graph.weights.size()) {}

  void start(std::size_t begin);
  /// Takes the next operator in.
  void extend();
  [[nodiscard]] std::size_t end() const noexcept { return end_; }
  [[nodiscard]] StageFigures figures() const;

private:
  const Graph& graph_;
  const Lifetimes& lifetimes_;
  const MemoryModel& memory_;
  std::vector<std::size_t> seen_tensor_; ///< the run of `start` in which it was counted
  std::vector<std::size_t> seen_weight_;
  std::size_t run_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t live_ = 0;
  std::uint64_t extra_ = 0;
  StageFigures figures_;
};

/// The figures of operators [begin, end).
StageFigures stage_figures(const Graph& graph, const Lifetimes& lifetimes, const MemoryModel& memory, std::size_t begin,
                           std::size_t end);

} // namespace tcfdl::inference
