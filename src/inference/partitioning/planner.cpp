#include "inference/partitioning/planner.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace tcfdl::inference {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kMostRelaxations = 1e9;     ///< a few seconds
constexpr std::size_t kMostUses = 4096;      ///< ways to use the nodes
constexpr std::size_t kMostExplained = 8192; ///< cuts of which all pairs are tried for an explanation

/// How good the stages up to a position are, and how they end.
struct Reached {
  double first = kNever; ///< by the objective: bottleneck or sum
  double second = kNever;
  double bytes = 0;     ///< received by all stages
  std::size_t from = 0; ///< place of the cut before the last stage
  std::size_t use = 0;  ///< of the nodes before the last stage
  std::size_t node = 0;

  [[nodiscard]] bool better_than(const Reached& other) const {
    if (first != other.first) return first < other.first;
    if (second != other.second) return second < other.second;
    return bytes < other.bytes;
  }
};

/// Numbers of used nodes of each type as one number: digits of mixed radix.
class Uses {
public:
  explicit Uses(const PlannerSettings& settings) {
    for (const auto& type : settings.nodes) {
      steps_.push_back(count_);
      limits_.push_back(std::min(type.count, kMostStages));
      count_ *= limits_.back() + 1;
    }
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  /// By use: that with one more node of a type; `count()` where none is left.
  [[nodiscard]] std::vector<std::size_t> following(std::size_t node) const {
    std::vector<std::size_t> next(count_, count_);
    for (std::size_t use = 0; use < count_; ++use) {
      if (digit(use, node) < limits_[node]) next[use] = use + steps_[node];
    }
    return next;
  }
  [[nodiscard]] std::size_t stages(std::size_t use) const {
    std::size_t sum = 0;
    for (std::size_t node = 0; node < steps_.size(); ++node) sum += digit(use, node);
    return sum;
  }

private:
  [[nodiscard]] std::size_t digit(std::size_t use, std::size_t node) const {
    return use / steps_[node] % (limits_[node] + 1);
  }
  std::vector<std::size_t> steps_;
  std::vector<std::size_t> limits_;
  std::size_t count_ = 1;
};

/// The table of the dynamic programme: by cut and use of nodes.
class Programme {
public:
  Programme(const Graph& graph, const Lifetimes& lifetimes, const MemoryModel& memory, const PlannerSettings& settings)
      : graph_(graph), lifetimes_(lifetimes), memory_(memory), settings_(settings), uses_(settings),
        cuts_(cut_positions(graph, lifetimes, most_cuts())), table_(cuts_.size() * uses_.count()) {
    at(0, 0) = {.first = 0, .second = 0};
    for (const auto& type : settings.nodes) largest_ = std::max(largest_, type.memory);
    for (std::size_t node = 0; node < settings.nodes.size(); ++node) following_.push_back(uses_.following(node));
  }

  void run() {
    StageScan scan(graph_, lifetimes_, memory_);
    for (std::size_t from = 0; from + 1 < cuts_.size(); ++from) {
      if (reachable(from)) relax_from(from, scan);
    }
  }

  /// The best use of so many nodes that reaches the end; none where nothing does.
  [[nodiscard]] std::optional<std::size_t> best_use(std::size_t stages) const {
    std::optional<std::size_t> best;
    const auto end = cuts_.size() - 1;
    for (std::size_t use = 0; use < uses_.count(); ++use) {
      if (uses_.stages(use) != stages || at(end, use).first == kNever) continue;
      if (!best || at(end, use).better_than(at(end, *best))) best = use;
    }
    return best;
  }

  [[nodiscard]] Partition trace(std::size_t use) const {
    std::vector<PlannedStage> stages;
    for (auto cut = cuts_.size() - 1; cut > 0;) {
      const auto& reached = at(cut, use);
      const auto begin = cuts_[reached.from];
      const auto figures = stage_figures(graph_, lifetimes_, memory_, begin, cuts_[cut]);
      stages.insert(stages.begin(), planned_stage(figures, begin, cuts_[cut], reached.node, settings_));
      cut = reached.from;
      use = reached.use;
    }
    return partition_of(std::move(stages), settings_);
  }

private:
  [[nodiscard]] std::size_t most_cuts() const {
    const auto ways = static_cast<double>(uses_.count() * settings_.nodes.size());
    return static_cast<std::size_t>(std::sqrt(2 * kMostRelaxations / ways));
  }

  Reached& at(std::size_t cut, std::size_t use) { return table_[cut * uses_.count() + use]; }
  [[nodiscard]] const Reached& at(std::size_t cut, std::size_t use) const { return table_[cut * uses_.count() + use]; }

  [[nodiscard]] bool reachable(std::size_t cut) const {
    for (std::size_t use = 0; use < uses_.count(); ++use) {
      if (at(cut, use).first != kNever) return true;
    }
    return false;
  }

  void relax_from(std::size_t from, StageScan& scan) {
    scan.start(cuts_[from]);
    for (auto to = from + 1; to < cuts_.size(); ++to) {
      while (scan.end() < cuts_[to]) scan.extend();
      const auto figures = scan.figures();
      // What is received and sent shrinks again as a stage grows; the rest does not.
      if (figures.memory - std::min(figures.memory, figures.received + figures.sent) > largest_ &&
          memory_.measured(cuts_[from], cuts_[to]) == 0) {
        return;
      }
      for (std::size_t node = 0; node < settings_.nodes.size(); ++node) {
        if (figures.memory <= settings_.nodes[node].memory) relax(from, to, node, figures);
      }
    }
  }

  void relax(std::size_t from, std::size_t to, std::size_t node, const StageFigures& figures) {
    const auto stage = planned_stage(figures, cuts_[from], cuts_[to], node, settings_);
    const bool last = to + 1 == cuts_.size();
    const auto sum = stage.compute_us + stage.receive_us + settings_.link.latency_us + (last ? stage.send_us : 0);
    const bool throughput = settings_.objective == Objective::kThroughput;
    for (std::size_t use = 0; use < uses_.count(); ++use) {
      const auto& before = at(from, use);
      const auto next = following_[node][use];
      if (before.first == kNever || next == uses_.count()) continue;
      const auto bottleneck = std::max(throughput ? before.first : before.second, stage.occupied_us());
      const auto latency = (throughput ? before.second : before.first) + sum;
      const Reached candidate{.first = throughput ? bottleneck : latency,
                              .second = throughput ? latency : bottleneck,
                              .bytes = before.bytes + static_cast<double>(figures.received),
                              .from = from,
                              .use = use,
                              .node = node};
      auto& known = at(to, next);
      if (candidate.better_than(known)) known = candidate;
    }
  }

  const Graph& graph_;
  const Lifetimes& lifetimes_;
  const MemoryModel& memory_;
  const PlannerSettings& settings_;
  Uses uses_;
  std::vector<std::size_t> cuts_;
  std::vector<Reached> table_;
  std::vector<std::vector<std::size_t>> following_; ///< by type of nodes, by use
  std::uint64_t largest_ = 0;
};

Status check_settings(const Graph& graph, const PlannerSettings& settings) {
  if (graph.operators.empty()) return make_error(Code::kInvalidArgument, "the model has no operators");
  if (graph.operators.size() > kMostOperators) {
    return make_error(Code::kInvalidArgument, "the model has {} operators, more than {}", graph.operators.size(),
                      kMostOperators);
  }
  if (settings.nodes.empty()) return make_error(Code::kInvalidArgument, "there are no nodes to place stages on");
  for (const auto& type : settings.nodes) {
    if (type.count > 0 && type.speed > 0 && type.bandwidth > 0 && type.memory > 0) continue;
    return make_error(Code::kInvalidArgument, "the nodes '{}' need a count, a speed, a bandwidth and memory above 0",
                      type.name);
  }
  if (const auto uses = Uses(settings).count(); uses > kMostUses) {
    return make_error(Code::kInvalidArgument,
                      "there are {} ways to use these nodes, more than {}; name fewer of each type", uses, kMostUses);
  }
  if (settings.stages <= kMostStages) return {};
  return make_error(Code::kInvalidArgument, "{} stages are more than {}", settings.stages, kMostStages);
}

std::string mebibytes(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 1048576); }

/// The piece between two neighbouring cuts that needs the most memory in whatever stage it lies, and that least of it.
struct Demand {
  std::size_t begin = 0; ///< operators [begin, end)
  std::size_t end = 0;
  StageFigures figures = {}; ///< of the smallest stage that holds it
};

Demand largest_demand(const Graph& graph, const MemoryModel& memory) {
  const auto lifetimes = lifetimes_of(graph);
  const auto cuts = cut_positions(graph, lifetimes, kMostExplained);
  std::vector<StageFigures> least(cuts.size() - 1, {.memory = std::numeric_limits<std::uint64_t>::max()});
  StageScan scan(graph, lifetimes, memory);
  for (std::size_t from = 0; from + 1 < cuts.size(); ++from) {
    std::vector<StageFigures> figures(cuts.size());
    scan.start(cuts[from]);
    for (auto to = from + 1; to < cuts.size(); ++to) {
      while (scan.end() < cuts[to]) scan.extend();
      figures[to] = scan.figures();
    }
    auto best = figures.back();
    for (auto to = cuts.size() - 1; to > from; --to) {
      if (figures[to].memory < best.memory) best = figures[to];
      if (best.memory < least[to - 1].memory) least[to - 1] = best;
    }
  }
  const auto worst = std::ranges::max_element(least, {}, &StageFigures::memory) - least.begin();
  const auto piece = static_cast<std::size_t>(worst);
  return {cuts[piece], cuts[piece + 1], least[piece]};
}

std::string subject_of(const Graph& graph, const Demand& demand) {
  auto heaviest = demand.begin;
  for (auto k = demand.begin; k < demand.end; ++k) {
    if (graph.operators[k].time_us > graph.operators[heaviest].time_us) heaviest = k;
  }
  const auto& step = graph.operators[heaviest];
  const auto apart = demand.end - demand.begin == 1
                         ? std::string()
                         : fmt::format(", which cannot be cut from {} others,", demand.end - demand.begin - 1);
  return fmt::format("the operator '{}' ({}){}", step.name, step.type, apart);
}

Error explain_infeasible(const Graph& graph, const MemoryModel& memory, const PlannerSettings& settings) {
  const auto demand = largest_demand(graph, memory);
  const auto& figures = demand.figures;
  const auto most = std::ranges::max_element(settings.nodes, {}, &NodeType::memory)->memory;
  if (figures.memory <= most) {
    return make_error(
        Code::kResourceExhausted,
        "the model does not fit {}, though {} needs {} and the largest node has {}: allow more stages, more "
        "nodes, or nodes with more memory",
        settings.stages > 0 ? fmt::format("{} stages", settings.stages) : std::string("these nodes together"),
        subject_of(graph, demand), mebibytes(figures.memory), mebibytes(most));
  }
  return make_error(
      Code::kResourceExhausted,
      "{} needs {} bytes ({}) alone or in any stage, more than the {} of the largest node: {} process and "
      "libraries, {} weights, {} tensors while it runs, {} tensors received and sent. No cut changes that: use a "
      "smaller input shape, or an enclave of at least {}",
      subject_of(graph, demand), figures.memory, mebibytes(figures.memory), mebibytes(most), mebibytes(memory.base()),
      mebibytes(figures.weights), mebibytes(figures.activations), mebibytes(figures.received + figures.sent),
      mebibytes(figures.memory));
}

} // namespace

double PlannedStage::occupied_us() const { return std::max({compute_us, receive_us, send_us}); }

PlannedStage planned_stage(const StageFigures& figures, std::size_t begin, std::size_t end, std::size_t node,
                           const PlannerSettings& settings) {
  constexpr double kMicros = 1e6;
  const auto& type = settings.nodes[node];
  const auto received = static_cast<double>(figures.received);
  const auto sent = static_cast<double>(figures.sent);
  PlannedStage stage{.begin = begin, .end = end, .node = node, .figures = figures};
  stage.compute_us = (figures.time_us + kMicros * (received + sent) / settings.link.sealing) / type.speed;
  stage.receive_us = kMicros * received / type.bandwidth;
  stage.send_us = kMicros * sent / type.bandwidth;
  return stage;
}

Partition partition_of(std::vector<PlannedStage> stages, const PlannerSettings& settings) {
  Partition partition;
  for (const auto& stage : stages) {
    partition.bottleneck_us = std::max(partition.bottleneck_us, stage.occupied_us());
    partition.latency_us += stage.compute_us + stage.receive_us + settings.link.latency_us;
  }
  if (!stages.empty()) partition.latency_us += stages.back().send_us;
  partition.stages = std::move(stages);
  return partition;
}

std::vector<std::size_t> cut_positions(const Graph& graph, const Lifetimes& lifetimes, std::size_t most) {
  const auto count = graph.operators.size();
  std::vector<std::int64_t> bytes(count + 2);
  std::vector<std::int64_t> fixed(count + 2);
  for (std::size_t tensor = 0; tensor < graph.tensors.size(); ++tensor) {
    auto& change = graph.tensors[tensor].movable ? bytes : fixed;
    const auto size = graph.tensors[tensor].movable ? static_cast<std::int64_t>(graph.tensors[tensor].bytes) : 1;
    change[lifetimes.born[tensor]] += size;
    change[std::max(lifetimes.last[tensor], lifetimes.born[tensor])] -= size;
  }
  const auto window = std::max<std::size_t>(1, (count + most - 1) / std::max<std::size_t>(1, most));
  std::vector<std::size_t> cuts{0};
  std::int64_t alive = bytes[0];
  std::int64_t unmovable = fixed[0];
  std::optional<std::pair<std::int64_t, std::size_t>> best;
  for (std::size_t k = 1; k < count; ++k) {
    alive += bytes[k];
    unmovable += fixed[k];
    if (unmovable == 0 && (!best || alive <= best->first)) best = {alive, k};
    if (k % window != 0 || !best) continue;
    cuts.push_back(best->second);
    best.reset();
  }
  if (best) cuts.push_back(best->second);
  cuts.push_back(count);
  return cuts;
}

Result<PlannerResult> partition_graph(const Graph& graph, const MemoryModel& memory, const PlannerSettings& settings) {
  TCFDL_TRY(check_settings(graph, settings));
  const auto lifetimes = lifetimes_of(graph);
  Programme programme(graph, lifetimes, memory, settings);
  programme.run();
  PlannerResult result;
  for (std::size_t stages = 1; stages <= kMostStages; ++stages) {
    const auto use = programme.best_use(stages);
    if (!use) continue;
    auto partition = programme.trace(*use);
    result.alternatives.push_back({stages, partition.bottleneck_us, partition.latency_us});
    if (stages == settings.stages || (settings.stages == 0 && result.best.stages.empty()))
      result.best = std::move(partition);
  }
  if (result.best.stages.empty()) return explain_infeasible(graph, memory, settings);
  return result;
}

} // namespace tcfdl::inference
