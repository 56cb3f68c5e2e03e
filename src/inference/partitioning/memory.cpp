#include "inference/partitioning/memory.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

constexpr double kLargestFactor = 4;

} // namespace

void MemoryModel::learn(std::size_t begin, std::size_t end, const StageFigures& uncorrected, std::uint64_t measured) {
  const auto plain = base_ + kGraphBytes + kOperatorBytes * (end - begin) + uncorrected.weights + uncorrected.received +
                     uncorrected.sent;
  const auto tensors = measured > plain ? measured - plain : 0;
  const auto activations = std::max(1.0, static_cast<double>(uncorrected.activations));
  const auto factor = std::clamp(static_cast<double>(tensors) / activations, 1.0, kLargestFactor);
  const auto explained = static_cast<std::uint64_t>(factor * activations);
  for (std::size_t k = begin; k < end; ++k) {
    factor_[k] = factor;
    extra_[k] = tensors > explained ? tensors - explained : 0;
  }
}

void MemoryModel::relax() {
  for (auto& factor : factor_) factor = 1 + (factor - 1) / 2;
  for (auto& extra : extra_) extra /= 2;
}

std::uint64_t MemoryModel::measured(std::size_t begin, std::size_t end) const {
  const auto found = measured_.find({begin, end});
  return found == measured_.end() ? 0 : found->second;
}

void StageScan::start(std::size_t begin) {
  ++run_;
  begin_ = end_ = begin;
  live_ = extra_ = 0;
  figures_ = {};
}

void StageScan::extend() {
  const auto& step = graph_.operators[end_];
  for (const auto weight : step.weights) {
    if (std::exchange(seen_weight_[weight], run_) != run_) figures_.weights += graph_.weights[weight].bytes;
  }
  figures_.weights += step.inner_bytes;
  for (const auto tensor : step.inputs) {
    if (lifetimes_.born[tensor] > begin_ || std::exchange(seen_tensor_[tensor], run_) == run_) continue;
    figures_.received += graph_.tensors[tensor].bytes;
  }
  for (const auto tensor : step.outputs) {
    live_ += graph_.tensors[tensor].bytes;
    figures_.sent += graph_.tensors[tensor].bytes;
  }
  const auto needed = static_cast<std::uint64_t>(memory_.factor(end_) * static_cast<double>(live_));
  figures_.activations = std::max(figures_.activations, needed);
  extra_ = std::max(extra_, memory_.extra(end_));
  for (const auto tensor : lifetimes_.dying[end_]) {
    if (lifetimes_.born[tensor] <= begin_) continue;
    live_ -= graph_.tensors[tensor].bytes;
    figures_.sent -= graph_.tensors[tensor].bytes;
  }
  figures_.time_us += step.time_us;
  ++end_;
}

StageFigures StageScan::figures() const {
  auto figures = figures_;
  figures.memory = memory_.base() + kGraphBytes + kOperatorBytes * (end_ - begin_) + figures.weights +
                   figures.activations + extra_ + figures.received + figures.sent;
  if (const auto measured = memory_.measured(begin_, end_); measured > 0) figures.memory = measured;
  return figures;
}

StageFigures stage_figures(const Graph& graph, const Lifetimes& lifetimes, const MemoryModel& memory, std::size_t begin,
                           std::size_t end) {
  StageScan scan(graph, lifetimes, memory);
  scan.start(begin);
  while (scan.end() < end) scan.extend();
  return scan.figures();
}

} // namespace tcfdl::inference
