#include "base/file.hpp"
#include "base/units.hpp"
#include "cli/model_inputs.hpp"
#include "cli/model_plan_text.hpp"
#include "inference/partitioning/nodes_file.hpp"
#include "inference/plan_model.hpp"

#include <CLI/CLI.hpp>

namespace tcfdl::cli {
namespace {

struct PlanOptions : MeasureOptions {
  std::string enclave_memory;
  std::string reserve = "12MiB";
  std::string nodes;
  std::size_t stages = 0;
  std::string objective = "throughput";
  std::string svg;
};

Result<inference::PlannerSettings> planner_settings(const PlanOptions& options) {
  inference::PlannerSettings settings;
  if (!options.nodes.empty()) {
    TCFDL_ASSIGN(const auto text, read_text_file(options.nodes));
    TCFDL_ASSIGN(settings, inference::parse_nodes_file(text, options.nodes));
  } else {
    if (options.enclave_memory.empty()) {
      return make_error(Code::kInvalidArgument,
                        "say how much memory an enclave has, as --enclave-memory 90MiB, or describe "
                        "the nodes with --nodes FILE");
    }
    TCFDL_ASSIGN(const auto memory, parse_size(options.enclave_memory));
    settings.nodes = {{.name = "enclave", .count = inference::kMostStages, .memory = memory}};
  }
  settings.stages = options.stages;
  settings.objective =
      options.objective == "latency" ? inference::Objective::kLatency : inference::Objective::kThroughput;
  return settings;
}

Status make_plan(const Session& session, const PlanOptions& options) {
  TCFDL_ASSIGN(auto planner, planner_settings(options));
  TCFDL_ASSIGN(auto store, open_store(options.model));
  TCFDL_ASSIGN(const auto record, find_model(store, options.model));
  TCFDL_ASSIGN(const auto measured, measure_model(store, record, options));
  TCFDL_ASSIGN(const auto reserve, parse_size(options.reserve));
  const inference::PlanModelSettings settings{
      .planner = std::move(planner), .measure = settings_of(options), .reserve = reserve};
  const auto progress = [](const std::string& line) { (void)std::fprintf(stderr, "%s\n", line.c_str()); };
  TCFDL_ASSIGN(auto plan, inference::plan_model(store, record, measured.profiled, measured.inputs, settings, progress));
  TCFDL_ASSIGN(plan.values, values_of(options));
  TCFDL_TRY(store.keep_plan(record, plan, measured.profiled.directory()));
  if (!options.svg.empty()) {
    TCFDL_TRY(write_file(std::filesystem::absolute(options.svg), as_bytes(plan_svg(plan))));
  }
  if (session.json) {
    print_json(inference::to_json(plan));
  } else {
    print(plan_text(plan));
  }
  return {};
}

} // namespace

void add_model_plan_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("plan", "cut a model into stages whose measured memory fits an enclave");
  auto options = std::make_shared<PlanOptions>();
  add_model_options(*command, {options, &options->model});
  add_measure_options(*command, options);
  auto* memory =
      command->add_option("--enclave-memory", options->enclave_memory, "of each enclave, as 90MiB")->type_name("SIZE");
  command->add_option("--reserve", options->reserve, "of each enclave, beside the stage; default 12MiB")
      ->type_name("SIZE");
  command->add_option("--nodes", options->nodes, "the nodes in YAML: docs/models.md")
      ->type_name("FILE")
      ->excludes(memory);
  command->add_option("--stages", options->stages, "so many; default: the fewest that fit")
      ->check(CLI::Range(std::size_t{1}, inference::kMostStages));
  command->add_option("--objective", options->objective, "throughput (default) or latency")
      ->check(CLI::IsMember({"throughput", "latency"}));
  command->add_option("--svg", options->svg, "draws the plan there")->type_name("FILE");
  command->callback(session.run([&session, options] { return make_plan(session, *options); }));
}

} // namespace tcfdl::cli
