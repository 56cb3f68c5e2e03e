#include "inference/partitioning/planner.hpp"

#include "inference/partitioning/nodes_file.hpp"

#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <random>

namespace tcfdl::inference {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kBase = 1'000'000;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// A graph in which each operator reads one to three tensors from before it.
Graph random_graph(std::size_t operators, std::mt19937& bits) {
  Graph graph;
  graph.tensors.push_back({.name = "input", .bytes = 1000});
  for (std::size_t k = 0; k < operators; ++k) {
    GraphOperator step{.name = "op" + std::to_string(k), .type = "Op", .node = k};
    step.time_us = static_cast<double>(bits() % 1000);
    for (std::size_t i = 0; i < 1 + bits() % 3; ++i) {
      const auto tensor = i == 0 ? graph.tensors.size() - 1 : bits() % graph.tensors.size();
      if (std::ranges::find(step.inputs, tensor) == step.inputs.end()) step.inputs.push_back(tensor);
    }
    if (bits() % 2 == 0) {
      step.weights.push_back(graph.weights.size());
      graph.weights.push_back({.name = "w", .bytes = bits() % 3'000'000});
    } else if (!graph.weights.empty()) {
      step.weights.push_back(bits() % graph.weights.size());
    }
    step.outputs.push_back(graph.tensors.size());
    graph.tensors.push_back({.name = "t" + std::to_string(k), .bytes = bits() % 500'000});
    graph.operators.push_back(std::move(step));
  }
  graph.tensors.back().graph_output = true;
  return graph;
}

/// Memory of a stage straight from its definition.
std::uint64_t plain_memory(const Graph& graph, const Lifetimes& lifetimes, std::size_t begin, std::size_t end) {
  std::uint64_t memory = kBase + kGraphBytes + kOperatorBytes * (end - begin);
  std::vector<bool> counted(graph.weights.size());
  std::uint64_t peak = 0;
  for (auto k = begin; k < end; ++k) {
    for (const auto weight : graph.operators[k].weights) {
      if (!counted[weight]) memory += graph.weights[weight].bytes;
      counted[weight] = true;
    }
    std::uint64_t live = 0;
    for (std::size_t tensor = 0; tensor < graph.tensors.size(); ++tensor) {
      const auto born = lifetimes.born[tensor];
      if (born > begin && born <= k + 1 && lifetimes.last[tensor] >= k + 1) live += graph.tensors[tensor].bytes;
    }
    peak = std::max(peak, live);
  }
  for (const auto tensor : stage_inputs(graph, lifetimes, begin, end)) memory += graph.tensors[tensor].bytes;
  for (const auto tensor : stage_outputs(graph, lifetimes, begin, end)) memory += graph.tensors[tensor].bytes;
  return memory + peak;
}

/// The best of all ways to cut and to place, tried one by one.
class BruteForce {
public:
  BruteForce(const Graph& graph, const MemoryModel& memory, PlannerSettings settings)
      : graph_(graph), lifetimes_(lifetimes_of(graph)), memory_(memory), settings_(std::move(settings)) {}

  /// By number of stages; infinite where none fits.
  double best(std::size_t stages) {
    best_ = kInfinite;
    extend(0, stages, {});
    return best_;
  }

private:
  void extend(std::size_t begin, std::size_t left, std::vector<PlannedStage> stages) {
    if (left == 0) {
      if (begin != graph_.operators.size()) return;
      const auto partition = partition_of(std::move(stages), settings_);
      const bool throughput = settings_.objective == Objective::kThroughput;
      best_ = std::min(best_, throughput ? partition.bottleneck_us : partition.latency_us);
      return;
    }
    for (auto end = begin + 1; end <= graph_.operators.size(); ++end) {
      const auto figures = stage_figures(graph_, lifetimes_, memory_, begin, end);
      for (std::size_t node = 0; node < settings_.nodes.size(); ++node) {
        auto& type = settings_.nodes[node];
        if (type.count == 0 || figures.memory > type.memory) continue;
        --type.count;
        auto more = stages;
        more.push_back(planned_stage(figures, begin, end, node, settings_));
        extend(end, left - 1, std::move(more));
        ++type.count;
      }
    }
  }

  const Graph& graph_;
  Lifetimes lifetimes_;
  const MemoryModel& memory_;
  PlannerSettings settings_;
  double best_ = kInfinite;
};

PlannerSettings settings_of(Objective objective, bool two_types, std::uint64_t memory) {
  PlannerSettings settings{.nodes = {{.name = "edge", .count = 2, .speed = 0.5, .memory = memory, .bandwidth = 1e8}}};
  if (two_types) {
    settings.nodes.push_back({.name = "cloud", .count = 2, .speed = 3, .memory = memory * 2, .bandwidth = 1e9});
  } else {
    settings.nodes.front().count = 4;
  }
  settings.objective = objective;
  return settings;
}

TEST(Planner, FindsWhatTryingEveryPartitionFinds) {
  std::mt19937 bits(7); // NOLINT(cert-msc51-cpp): the same graphs in every run
  std::size_t compared = 0;
  for (int round = 0; round < 40; ++round) {
    const auto graph = random_graph(4 + bits() % 5, bits);
    const MemoryModel memory(graph.operators.size(), kBase);
    const auto settings = settings_of(round % 2 == 0 ? Objective::kThroughput : Objective::kLatency, round % 4 < 2,
                                      3'000'000 + bits() % 6'000'000);
    BruteForce brute(graph, memory, settings);
    const auto planned = partition_graph(graph, memory, settings);
    std::size_t fewest = 0;
    for (std::size_t stages = 4; stages > 0; --stages) {
      const auto best = brute.best(stages);
      if (best != kInfinite) fewest = stages;
      auto exact = settings;
      exact.stages = stages;
      const auto found = partition_graph(graph, memory, exact);
      ASSERT_EQ(found.has_value(), best != kInfinite) << round << ' ' << stages;
      if (!found) continue;
      const auto value =
          settings.objective == Objective::kThroughput ? found->best.bottleneck_us : found->best.latency_us;
      EXPECT_NEAR(value, best, 1e-6 * best) << round << ' ' << stages;
      EXPECT_EQ(found->best.stages.size(), stages);
      ++compared;
    }
    ASSERT_EQ(planned.has_value(), fewest > 0) << round;
    EXPECT_EQ(planned ? planned->best.stages.size() : 0, fewest) << round;
  }
  EXPECT_GT(compared, 60U);
}

TEST(StageScan, CountsWhatTheDefinitionCounts) {
  std::mt19937 bits(11); // NOLINT(cert-msc51-cpp): the same graphs in every run
  for (int round = 0; round < 20; ++round) {
    const auto graph = random_graph(12, bits);
    const auto lifetimes = lifetimes_of(graph);
    const MemoryModel memory(graph.operators.size(), kBase);
    for (std::size_t begin = 0; begin < 12; ++begin) {
      for (auto end = begin + 1; end <= 12; ++end) {
        EXPECT_EQ(stage_figures(graph, lifetimes, memory, begin, end).memory,
                  plain_memory(graph, lifetimes, begin, end));
      }
    }
  }
}

/// A chain of three operators, the last of which also reads the first one's tensor.
Graph skip_graph() {
  Graph graph;
  for (const auto* name : {"x", "a", "b", "c"}) graph.tensors.push_back({.name = name, .bytes = 100});
  graph.tensors[1].bytes = 7000;
  graph.tensors[3].graph_output = true;
  graph.operators.push_back({.name = "one", .type = "Op", .node = 0, .time_us = 10, .inputs = {0}, .outputs = {1}});
  graph.operators.push_back({.name = "two", .type = "Op", .node = 1, .time_us = 10, .inputs = {1}, .outputs = {2}});
  graph.operators.push_back(
      {.name = "three", .type = "Op", .node = 2, .time_us = 10, .inputs = {1, 2}, .outputs = {3}});
  return graph;
}

TEST(Planner, SendsASkippingTensorStraightToItsReaders) {
  const auto graph = skip_graph();
  const MemoryModel memory(3, kBase);
  PlannerSettings settings{.nodes = {{.name = "n", .count = 3, .memory = 100'000'000}}, .stages = 3};
  const auto planned = partition_graph(graph, memory, settings);
  ASSERT_TRUE(planned);
  EXPECT_EQ(planned->best.stages[1].figures.received, 7000U);
  EXPECT_EQ(planned->best.stages[1].figures.sent, 100U) << "the skipping tensor goes not through the middle stage";
  EXPECT_EQ(planned->best.stages[2].figures.received, 7100U);
}

TEST(Planner, NeverCutsWhereATensorThatCannotTravelIsAlive) {
  auto graph = skip_graph();
  graph.tensors[1].movable = false;
  EXPECT_EQ(cut_positions(graph, lifetimes_of(graph), 100), (std::vector<std::size_t>{0, 3}));
  graph = skip_graph();
  graph.tensors[2].movable = false;
  EXPECT_EQ(cut_positions(graph, lifetimes_of(graph), 100), (std::vector<std::size_t>{0, 1, 3}));
}

TEST(Planner, NamesTheOperatorThatFitsNowhere) {
  auto graph = skip_graph();
  graph.weights.push_back({.name = "w", .bytes = 50'000'000});
  graph.operators[1].weights.push_back(0);
  const MemoryModel memory(3, kBase);
  const auto planned = partition_graph(graph, memory, {.nodes = {{.name = "n", .count = 9, .memory = 40'000'000}}});
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(planned.error().message(), HasSubstr("the operator 'two' (Op) needs 51317"));
}

TEST(Planner, SaysWhenOnlyNodesAreLacking) {
  auto graph = skip_graph();
  for (std::size_t k = 0; k < 3; ++k) {
    graph.operators[k].weights.push_back(k);
    graph.weights.push_back({.name = "w", .bytes = 20'000'000});
  }
  const MemoryModel memory(3, kBase);
  const auto planned = partition_graph(graph, memory, {.nodes = {{.name = "n", .count = 2, .memory = 25'000'000}}});
  ASSERT_FALSE(planned);
  EXPECT_THAT(planned.error().message(), HasSubstr("allow more stages, more nodes"));
}

TEST(MemoryModel, TakesAMeasuredStageAsItIsAndCorrectsItsNeighbours) {
  const auto graph = skip_graph();
  const auto lifetimes = lifetimes_of(graph);
  MemoryModel memory(3, kBase);
  const auto before = stage_figures(graph, lifetimes, memory, 0, 2);
  memory.remember(0, 2, before.memory + 5000);
  memory.learn(0, 2, before, before.memory + 5000);
  EXPECT_EQ(stage_figures(graph, lifetimes, memory, 0, 2).memory, before.memory + 5000);
  const MemoryModel plain(3, kBase);
  EXPECT_GT(stage_figures(graph, lifetimes, memory, 0, 1).memory, stage_figures(graph, lifetimes, plain, 0, 1).memory);
  EXPECT_EQ(stage_figures(graph, lifetimes, memory, 2, 3).memory, stage_figures(graph, lifetimes, plain, 2, 3).memory);
  const auto corrected = stage_figures(graph, lifetimes, memory, 0, 1).memory;
  memory.relax();
  EXPECT_LT(stage_figures(graph, lifetimes, memory, 0, 1).memory, corrected);
  EXPECT_EQ(stage_figures(graph, lifetimes, memory, 0, 2).memory, before.memory + 5000);
}

TEST(NodesFile, IsReadStrictly) {
  const auto settings = parse_nodes_file("nodes:\n"
                                         "  - {name: car, count: 2, enclave_memory: 90MiB, speed: 0.5}\n"
                                         "  - {name: cloud, enclave_memory: 1GiB, bandwidth: 1GiB}\n"
                                         "link: {latency_us: 500}\n",
                                         "nodes.yaml");
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->nodes[0].memory, 90U << 20U);
  EXPECT_EQ(settings->nodes[0].speed, 0.5);
  EXPECT_EQ(settings->nodes[1].count, 1U);
  EXPECT_EQ(settings->link.latency_us, 500);
  for (const auto* wrong : {"nodes: []\n", "nodes:\n  - {name: car}\n", "nodes:\n  - {enclave_memory: 90MiB}\n",
                            "nodes:\n  - {name: car, enclave_memory: 90MiB, colour: red}\n",
                            "nodes:\n  - {name: car, enclave_memory: 90}\n",
                            "nodes:\n  - {name: car, enclave_memory: 90MiB, speed: fast}\n",
                            "nodes:\n  - {name: car, enclave_memory: 90MiB, count: 0}\n", "[1, 2]\n"}) {
    EXPECT_FALSE(parse_nodes_file(wrong, "nodes.yaml")) << wrong;
  }
}

} // namespace
} // namespace tcfdl::inference
