#include "inference/plan_model.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

constexpr unsigned kMostRounds = 24;
constexpr unsigned kMostRelaxations = 6;
constexpr std::size_t kMostAlternatives = 8;

/// Why cuts help this model little; empty where they help.
std::string note_of(const Graph& graph) {
  if (cut_positions(graph, lifetimes_of(graph), graph.operators.size() + 1).size() == 2) {
    return "the model cannot be split: it has one operator, or tensors that do not travel live all through it";
  }
  std::uint64_t all = 0;
  const GraphOperator* heaviest = nullptr;
  for (const auto& weight : graph.weights) all += weight.bytes;
  for (const auto& step : graph.operators) {
    all += step.inner_bytes;
    if (step.has_graph && (heaviest == nullptr || step.inner_bytes > heaviest->inner_bytes)) heaviest = &step;
  }
  if (heaviest == nullptr || heaviest->inner_bytes * 2 <= all) return {};
  return fmt::format("{} % of the weights lie inside the operator '{}' ({}), whose inner graphs are never cut",
                     heaviest->inner_bytes * 100 / all, heaviest->name, heaviest->type);
}

/// What a planner is told of nodes whose enclaves keep something back.
Result<PlannerSettings> without_reserve(PlannerSettings settings, std::uint64_t reserve) {
  for (auto& node : settings.nodes) {
    if (node.memory <= reserve) {
      return make_error(Code::kResourceExhausted,
                        "enclaves of {} bytes ({}) leave nothing beside a reserve of {} bytes", node.memory, node.name,
                        reserve);
    }
    node.memory -= reserve;
  }
  return settings;
}

/// Plans and measures until all fits.
class Planning {
public:
  Planning(const RuntimeProcess& runtime, const ProfiledModel& model, const InputTensors& inputs,
           const PlannerSettings& settings, const MeasureSettings& measure, const Progress& progress)
      : graph_(model.graph()), lifetimes_(lifetimes_of(graph_)), settings_(settings), progress_(progress),
        measurement_(runtime, model, inputs, measure), plain_(graph_.operators.size(), 0),
        learnt_(graph_.operators.size(), 0) {}

  Status run() {
    TCFDL_ASSIGN(const auto base, measurement_.measure_base());
    plain_ = learnt_ = MemoryModel(graph_.operators.size(), base);
    for (rounds = 1; rounds <= kMostRounds; ++rounds) {
      TCFDL_TRY(partition());
      TCFDL_ASSIGN(const bool fits, measure_all());
      if (fits) return {};
    }
    return refused_.within(fmt::format("no stages were found in {} rounds whose measured memory fits", kMostRounds));
  }

  PlannerResult result;
  std::vector<MeasuredStage> measured;
  unsigned rounds = 0;

  [[nodiscard]] std::uint64_t base() const { return plain_.base(); }
  [[nodiscard]] const Lifetimes& lifetimes() const { return lifetimes_; }
  /// What was predicted before anything was measured.
  [[nodiscard]] std::uint64_t predicted(const PlannedStage& stage) const {
    return stage_figures(graph_, lifetimes_, plain_, stage.begin, stage.end).memory;
  }

private:
  /// Plans by what was learnt; by half of it, and again half, where that fits nothing.
  Status partition() {
    auto planned = partition_graph(graph_, learnt_, settings_);
    if (!planned && rounds > 1) refused_ = planned.error().within("estimated from measured stages");
    for (unsigned i = 0; !planned && rounds > 1 && i < kMostRelaxations; ++i) {
      learnt_.relax();
      planned = partition_graph(graph_, learnt_, settings_);
    }
    if (!planned) return rounds == 1 ? planned.error().within("predicted") : refused_;
    result = *std::move(planned);
    return {};
  }

  Result<bool> measure_all() {
    measured.clear();
    bool fits = true;
    for (const auto& stage : result.best.stages) {
      TCFDL_ASSIGN(auto figures, measurement_.measure(stage.begin, stage.end));
      learnt_.remember(stage.begin, stage.end, figures.peak_memory);
      const auto most = settings_.nodes[stage.node].memory;
      if (figures.peak_memory > most) {
        learn(stage, figures.peak_memory, most);
        fits = false;
      }
      measured.push_back(std::move(figures));
    }
    return fits;
  }

  void learn(const PlannedStage& stage, std::uint64_t peak, std::uint64_t most) {
    progress_(fmt::format("round {}: operators {} to {} need {} bytes, {} more than there are; planning anew", rounds,
                          stage.begin + 1, stage.end, peak, peak - most));
    learnt_.learn(stage.begin, stage.end, stage_figures(graph_, lifetimes_, plain_, stage.begin, stage.end), peak);
  }

  const Graph& graph_;
  Lifetimes lifetimes_;
  const PlannerSettings& settings_;
  const Progress& progress_;
  StageMeasurement measurement_;
  MemoryModel plain_;
  MemoryModel learnt_;
  /// Why nothing fitted at last.
  Error refused_{Code::kResourceExhausted, "stages need more than their enclaves have"};
};

/// The plan's form of a partition.
class PlanWriter {
public:
  PlanWriter(const Graph& graph, const PlannerSettings& settings, std::uint64_t reserve, const Planning& planning)
      : graph_(graph), settings_(settings), reserve_(reserve), planning_(planning), maker_(graph.tensors.size()) {}

  std::vector<StagePlan> stages() {
    std::vector<StagePlan> plans;
    const auto& stages = planning_.result.best.stages;
    for (std::size_t i = 0; i < stages.size(); ++i) plans.push_back(stage(stages[i], planning_.measured[i], i + 1));
    return plans;
  }

private:
  StagePlan stage(const PlannedStage& planned, const MeasuredStage& measured, std::size_t number) {
    StagePlan plan{.node = settings_.nodes[planned.node].name};
    plan.operators = planned.end - planned.begin;
    plan.first = graph_.operators[planned.begin].name;
    plan.last = graph_.operators[planned.end - 1].name;
    plan.file.path = measured.file;
    for (const auto tensor : stage_inputs(graph_, planning_.lifetimes(), planned.begin, planned.end)) {
      plan.inputs.push_back(described(tensor));
    }
    for (const auto tensor : stage_outputs(graph_, planning_.lifetimes(), planned.begin, planned.end)) {
      maker_[tensor] = number;
      plan.outputs.push_back(described(tensor));
    }
    const auto usable = settings_.nodes[planned.node].memory;
    plan.memory = usable + reserve_;
    plan.predicted_memory = planning_.predicted(planned);
    plan.measured_memory = measured.peak_memory;
    plan.weights = planned.figures.weights;
    plan.arena_limit = measured.arena_size + (usable - measured.peak_memory);
    plan.predicted_us = planned.compute_us;
    plan.measured_us = measured.run_us;
    plan.receive_us = planned.receive_us;
    plan.send_us = planned.send_us;
    return plan;
  }

  [[nodiscard]] StageTensor described(std::size_t index) const {
    const auto& tensor = graph_.tensors[index];
    return {.info = {.name = tensor.name, .type = tensor.type, .shape = tensor.shape},
            .bytes = tensor.bytes,
            .from = maker_[index]};
  }

  const Graph& graph_;
  const PlannerSettings& settings_;
  const std::uint64_t reserve_;
  const Planning& planning_;
  std::vector<std::size_t> maker_; ///< by tensor: its stage, 0 for the caller
};

} // namespace

Result<ModelPlan> plan_model(const ModelStore& store, const ModelRecord& record, const ProfiledModel& model,
                             const InputTensors& inputs, const PlanModelSettings& settings, const Progress& progress) {
  TCFDL_ASSIGN(const auto planner, without_reserve(settings.planner, settings.reserve));
  Planning planning(store.runtime(), model, inputs, planner, settings.measure, progress);
  const auto note = note_of(model.graph());
  if (const auto planned = planning.run(); !planned) {
    return note.empty() ? planned.error() : planned.error().within(note);
  }
  ModelPlan plan{
      .name = record.name, .version = record.version, .model = record.id(), .target = model.optimised().target};
  plan.threads = settings.measure.threads;
  plan.prepacking = settings.measure.prepacking;
  plan.objective = planner.objective;
  plan.reserve = settings.reserve;
  for (const auto& view : inputs.views)
    plan.inputs.push_back({.name = view.name, .type = view.type, .shape = view.shape});
  plan.stages = PlanWriter(model.graph(), planner, settings.reserve, planning).stages();
  plan.base_memory = planning.base();
  plan.bottleneck_us = planning.result.best.bottleneck_us;
  plan.latency_us = planning.result.best.latency_us;
  plan.rounds = planning.rounds;
  plan.note = note;
  plan.alternatives = planning.result.alternatives;
  if (plan.alternatives.size() > kMostAlternatives) plan.alternatives.resize(kMostAlternatives);
  return plan;
}

} // namespace tcfdl::inference
