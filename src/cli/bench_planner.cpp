#include "cli/bench.hpp"
#include "cli/bench_rows.hpp"
#include "inference/partitioning/planner.hpp"

#include <random>

namespace tcfdl::cli {
namespace {

/// A chain in which every fourth operator also reads a tensor of up to 20 operators before it.
inference::Graph made_up_graph(std::size_t operators) {
  std::mt19937 bits(1); // NOLINT(cert-msc51-cpp): the same graphs in every run
  inference::Graph graph;
  graph.tensors.push_back({.name = "input", .bytes = 600'000});
  for (std::size_t k = 0; k < operators; ++k) {
    inference::GraphOperator step{.name = fmt::format("operator{}", k), .type = "Conv", .node = k};
    step.time_us = static_cast<double>(bits() % 1000);
    step.inputs.push_back(k);
    if (k % 4 == 3 && k > 20) step.inputs.push_back(k - 1 - bits() % 20);
    step.weights.push_back(k);
    graph.weights.push_back({.name = fmt::format("weight{}", k), .bytes = bits() % 100'000});
    step.outputs.push_back(k + 1);
    graph.tensors.push_back({.name = fmt::format("tensor{}", k), .bytes = bits() % 800'000});
    graph.operators.push_back(std::move(step));
  }
  graph.tensors.back().graph_output = true;
  return graph;
}

} // namespace

Result<Json> bench_planner(unsigned repeats) {
  constexpr std::uint64_t kBase = std::uint64_t{31} << 20U;
  auto rows = Json::array();
  for (const std::size_t operators : {1'000, 10'000}) {
    const auto graph = made_up_graph(operators);
    const inference::MemoryModel memory(operators, kBase);
    for (const std::uint64_t mebibytes : {90, 4096}) {
      const inference::PlannerSettings settings{
          .nodes = {{.name = "enclave", .count = inference::kMostStages, .memory = mebibytes << 20U}}};
      const auto plan = [&]() -> Status {
        TCFDL_TRY(inference::partition_graph(graph, memory, settings));
        return {};
      };
      const auto name = fmt::format("plan_{}_operators_{}MiB", operators, mebibytes);
      TCFDL_ASSIGN(const auto durations, measure(repeats, plan));
      rows.push_back(bench_row(name, operators, durations, name, durations.percentile(0.5)));
    }
  }
  return rows;
}

} // namespace tcfdl::cli
