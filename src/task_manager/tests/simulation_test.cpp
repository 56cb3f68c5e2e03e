#include "task_manager/simulation.hpp"

#include <gtest/gtest.h>

namespace tcfdl::task_manager {
namespace {

/// A trace for so many nodes of two slots each, at this part of what they can do.
Trace trace_for(std::size_t nodes, double load, std::size_t tasks = 4000) {
  return generate_trace(
      {.tasks = tasks, .functions = 1, .callers = 8, .busy_slots = load * static_cast<double>(nodes) * 2, .seed = 3});
}

SimulationReport run(const Trace& trace, std::size_t nodes, PlacementKind placement = PlacementKind::kPredicted) {
  return simulate(trace, {.nodes = nodes, .concurrency = 2, .seed = 1, .placement = placement}).value();
}

TEST(Simulation, RefusesNothingToSimulate) {
  EXPECT_FALSE(simulate({}, {}));
  EXPECT_FALSE(simulate(trace_for(1, 0.1, 10), {.nodes = 0}));
}

TEST(Simulation, AccountsForEveryTask) {
  for (const double load : {0.3, 3.0}) {
    const auto report = run(trace_for(4, load), 4);
    EXPECT_EQ(report.tasks, 4000U);
    EXPECT_EQ(report.completed + report.refused + report.late, 4000U);
    EXPECT_EQ(report.refused > 0, load > 1);
  }
}

TEST(Simulation, IsTheSameForTheSameSeed) {
  const auto trace = trace_for(40, 0.8);
  const auto one = run(trace, 40);
  const auto two = run(trace, 40);
  EXPECT_EQ(one.done_p50_us, two.done_p50_us);
  EXPECT_EQ(one.done_p99_us, two.done_p99_us);
  EXPECT_EQ(one.wait_p99_us, two.wait_p99_us);
  EXPECT_DOUBLE_EQ(one.imbalance, two.imbalance);
}

TEST(Simulation, ShowsThatPredictionBeatsBlindChoice) {
  for (const std::size_t nodes : {10U, 200U}) {
    const auto trace = trace_for(nodes, 0.5, 20'000);
    const auto predicted = run(trace, nodes);
    for (const auto other : {PlacementKind::kRandom, PlacementKind::kRoundRobin, PlacementKind::kLeastLoaded}) {
      const auto blind = run(trace, nodes, other);
      EXPECT_LT(static_cast<double>(predicted.done_p50_us), 0.95 * static_cast<double>(blind.done_p50_us)) << nodes;
      EXPECT_LT(predicted.done_p99_us, blind.done_p99_us) << nodes;
    }
  }
}

} // namespace
} // namespace tcfdl::task_manager
