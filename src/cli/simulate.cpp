#include "task_manager/simulation.hpp"

#include "base/file.hpp"
#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

constexpr std::size_t kLargestTrace = std::size_t{1} << 30U;

struct SimulateOptions {
  std::string trace;
  bool generate = false;
  std::size_t nodes = 10;
  std::size_t functions = 0; ///< 0: as many as the trace has
  unsigned concurrency = 2;
  std::uint64_t seed = 1;
  std::size_t tasks = 100'000;
  std::size_t callers = 20;
  double load = 0.8;
};

struct NamedPlacement {
  std::string_view name;
  task_manager::PlacementKind kind;
};

constexpr std::array<NamedPlacement, 4> kPlacements{{{"predicted", task_manager::PlacementKind::kPredicted},
                                                     {"least-loaded", task_manager::PlacementKind::kLeastLoaded},
                                                     {"round-robin", task_manager::PlacementKind::kRoundRobin},
                                                     {"random", task_manager::PlacementKind::kRandom}}};

/// A trace that keeps the slots of the nodes busy for that part of the time.
task_manager::Trace make_trace(const SimulateOptions& options) {
  task_manager::GeneratorSettings settings;
  settings.tasks = options.tasks;
  settings.functions = std::max<std::size_t>(1, options.functions);
  settings.callers = options.callers;
  settings.seed = options.seed;
  const auto instances = std::max(options.nodes, settings.functions);
  settings.busy_slots = options.load * static_cast<double>(instances * options.concurrency);
  return task_manager::generate_trace(settings);
}

Result<task_manager::Trace> trace_of(const SimulateOptions& options) {
  const auto file = std::filesystem::absolute(options.trace);
  if (options.generate) {
    auto trace = make_trace(options);
    TCFDL_TRY(write_file(file, as_bytes(task_manager::write_trace(trace))));
    return trace;
  }
  TCFDL_ASSIGN(const auto text, read_text_file(file, kLargestTrace));
  auto trace = task_manager::parse_trace(text);
  if (!trace) return trace.error().within(file.string());
  if (options.functions == 0 || trace->functions.size() <= options.functions) return trace;
  return make_error(Code::kInvalidArgument, "{} has {} functions, more than the {} of --functions", file.string(),
                    trace->functions.size(), options.functions);
}

Json document_of(std::string_view placement, const task_manager::SimulationReport& report) {
  return {{"placement", placement},
          {"tasks", report.tasks},
          {"completed", report.completed},
          {"refused", report.refused},
          {"late", report.late},
          {"wait_p50_us", report.wait_p50_us},
          {"wait_p99_us", report.wait_p99_us},
          {"done_p50_us", report.done_p50_us},
          {"done_p99_us", report.done_p99_us},
          {"utilisation", report.utilisation},
          {"imbalance", report.imbalance},
          {"decisions", report.decisions},
          {"decisions_per_second", report.decisions_per_second}};
}

std::vector<std::string> row_of(std::string_view placement, const task_manager::SimulationReport& report) {
  const auto millis = [](std::uint64_t micros) { return fmt::format("{:.1f} ms", static_cast<double>(micros) / 1000); };
  return {std::string(placement),
          fmt::format("{}", report.completed),
          fmt::format("{}", report.refused + report.late),
          millis(report.wait_p50_us),
          millis(report.wait_p99_us),
          millis(report.done_p50_us),
          millis(report.done_p99_us),
          fmt::format("{:.2f}", report.utilisation),
          fmt::format("{:.2f}", report.imbalance),
          fmt::format("{:.0f}", report.decisions_per_second)};
}

Status run_simulation(const SimulateOptions& options, bool as_json) {
  TCFDL_ASSIGN(const auto trace, trace_of(options));
  auto documents = Json::array();
  std::vector<std::vector<std::string>> rows{{"PLACEMENT", "COMPLETED", "FAILED", "WAIT P50", "WAIT P99", "DONE P50",
                                              "DONE P99", "BUSY", "IMBALANCE", "DECISIONS/S"}};
  for (const auto& placement : kPlacements) {
    const task_manager::SimulationSettings settings{
        .nodes = options.nodes, .concurrency = options.concurrency, .seed = options.seed, .placement = placement.kind};
    TCFDL_ASSIGN(const auto report, task_manager::simulate(trace, settings));
    documents.push_back(document_of(placement.name, report));
    rows.push_back(row_of(placement.name, report));
  }
  if (as_json) {
    print_json({{"nodes", options.nodes},
                {"functions", trace.functions.size()},
                {"concurrency", options.concurrency},
                {"seed", options.seed},
                {"placements", documents}});
  } else {
    print(table(rows));
  }
  return {};
}

} // namespace

void add_simulate_command(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("simulate", "run the scheduler over a trace of tasks in virtual time");
  auto options = std::make_shared<SimulateOptions>();
  command->add_option("--trace", options->trace, "the tasks: docs/formats/trace.md")->required()->type_name("FILE");
  command->add_option("--nodes", options->nodes, "how many; default 10")->check(CLI::Range(1, 1'000'000));
  command->add_option("--functions", options->functions, "how many; default: those of the trace")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--concurrency", options->concurrency, "tasks that an instance runs at once; default 2")
      ->check(CLI::Range(1, 1024));
  command->add_option("--seed", options->seed, "of all that is drawn; default 1");
  command->add_flag("--generate", options->generate, "make the trace first, and write it to FILE");
  command->add_option("--tasks", options->tasks, "with --generate; default 100000")->check(CLI::Range(1, 10'000'000));
  command->add_option("--callers", options->callers, "with --generate; default 20")->check(CLI::Range(1, 100'000));
  command->add_option("--load", options->load, "with --generate: part of the slots that is busy; default 0.8")
      ->check(CLI::Range(0.01, 10.0));
  command->callback(session.run([&session, options] { return run_simulation(*options, session.json); }));
}

} // namespace tcfdl::cli
