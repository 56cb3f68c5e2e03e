#include "base/file.hpp"
#include "cli/bench.hpp"
#include "cli/bench_floors.hpp"
#include "cli/bench_platform.hpp"
#include "cli/bench_rows.hpp"
#include "cli/deployed_model.hpp"
#include "cli/pipeline.hpp"
#include "inference/plan_model.hpp"
#include "inference/synthesis.hpp"

#include <future>
#include <thread>

namespace tcfdl::cli {
namespace {

using inference::ModelStore;

constexpr std::string_view kPipelineTopology = "clusters:\n  - {name: near, workers: [near-1]}\n";
constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30U;
constexpr std::uint64_t kReserve = std::uint64_t{128} << 20U;
constexpr unsigned kTasksEach = 12;
constexpr std::chrono::seconds kWithin{60};

/// A model that is in the store, planned and deployed.
struct BenchModel {
  inference::ModelRecord record;
  inference::InputTensors inputs;
  double plan_us = 0;
};

/// The whole model, optimised, in ONNX Runtime alone.
class Unsplit {
public:
  static Result<Unsplit> of(ModelStore& store, const BenchModel& model) {
    TCFDL_ASSIGN(const auto optimised, store.optimised(model.record));
    TCFDL_ASSIGN(auto work, store.work());
    TCFDL_TRY(store.put_out(optimised.files, work.path()));
    TCFDL_TRY(store.runtime().run({.kind = inference::WorkKind::kPack,
                                   .model = work.path() / optimised.files.front().path,
                                   .save = work.path() / kPacked}));
    TCFDL_TRY(write_file(work.path() / kInputs, inference::write_tensors(model.inputs.views)));
    return Unsplit(store.runtime(), std::move(work));
  }

  /// Time a task, microseconds, of a process for each core: what the cores give.
  Result<double> measure_task() const {
    std::vector<std::future<Result<inference::RuntimeAnswer>>> running;
    for (unsigned core = 0; core < std::thread::hardware_concurrency(); ++core) {
      running.push_back(std::async(std::launch::async, [this] {
        return runtime_.run({.kind = inference::WorkKind::kRun,
                             .model = work_.path() / kPacked,
                             .inputs = work_.path() / kInputs,
                             .runs = kRuns});
      }));
    }
    double tasks_per_us = 0;
    for (auto& each : running) {
      TCFDL_ASSIGN(const auto answer, each.get());
      tasks_per_us += 1 / static_cast<double>(answer.run_us);
    }
    return 1 / tasks_per_us;
  }

private:
  static constexpr const char* kPacked = "whole.ort";
  static constexpr const char* kInputs = "inputs";
  static constexpr unsigned kRuns = 9;

  Unsplit(const inference::RuntimeProcess& runtime, inference::WorkDirectory work)
      : runtime_(runtime), work_(std::move(work)) {}

  const inference::RuntimeProcess& runtime_;
  inference::WorkDirectory work_;
};

class PipelineBench {
public:
  PipelineBench(const BenchPlatform& platform, ModelStore& store, const crypto::SigningKey& owner,
                const BenchPipelineOptions& options)
      : platform_(platform), store_(store), owner_(owner), options_(options) {}

  Result<BenchModel> deploy(const std::string& name, const Bytes& model, std::size_t stages) {
    const auto file = platform_.directory() / "model.onnx";
    TCFDL_TRY(write_file(file, model));
    BenchModel made;
    TCFDL_ASSIGN(made.record, store_.import(file, {name, 0}));
    TCFDL_ASSIGN(made.inputs, inference::make_inputs(made.record.inputs, {}));
    const auto begin = std::chrono::steady_clock::now();
    const inference::MeasureSettings measure;
    TCFDL_ASSIGN(const auto profiled,
                 inference::ProfiledModel::make(store_, made.record, made.inputs, nullptr, measure));
    const inference::PlanModelSettings settings{
        .planner = {.nodes = {{.name = "enclave", .count = inference::kMostStages, .memory = kPlenty}},
                    .stages = stages},
        .measure = measure,
        .reserve = kReserve};
    TCFDL_ASSIGN(auto plan, inference::plan_model(store_, made.record, profiled, made.inputs, settings,
                                                  [](const std::string&) {}));
    TCFDL_TRY(store_.keep_plan(made.record, plan, profiled.directory()));
    made.plan_us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    TCFDL_ASSIGN(const auto context, sdk::load_context("near"));
    TCFDL_TRY(deploy_pipeline(store_, made.record, plan, context, owner_, {.name = name}));
    return made;
  }

  /// By turns, so that what else the machine does meets both.
  Status add_mobilenet(Client& client, Json& rows) {
    TCFDL_ASSIGN(const auto bytes, inference::make_mobilenet({.scale = options_.scale}));
    TCFDL_ASSIGN(const auto model, deploy("bench/mobilenet", bytes, options_.stages));
    TCFDL_ASSIGN(const auto unsplit, Unsplit::of(store_, model));
    const auto infer_once = inference_of(client, "bench/mobilenet", model);
    Sample whole;
    Sample pipeline;
    for (unsigned round = 0; round < options_.repeats; ++round) {
      TCFDL_ASSIGN(const auto task_us, unsplit.measure_task());
      whole.micros.push_back(task_us);
      TCFDL_ASSIGN(const auto part, measure_parallel(1, options_.callers, kTasksEach, infer_once));
      pipeline.micros.insert(pipeline.micros.end(), part.micros.begin(), part.micros.end());
    }
    TCFDL_ASSIGN(const auto single, measure(options_.repeats, infer_once));
    const std::string floor = "unsplit_time_per_task";
    const auto name = fmt::format("pipeline_{}", options_.stages);
    append_row({floor, {}, floor}, bytes.size(), whole, rows);
    append_row({name + "_time_per_task", {}, floor, {{floor, 1.05}}}, bytes.size(), pipeline, rows);
    append_row({name + "_latency", {}, floor}, bytes.size(), single, rows);
    append_row({"plan_time", {}, "plan_time"}, bytes.size(), {.micros = {model.plan_us}}, rows);
    return {};
  }

  Status add_stage_overhead(Client& client, Floors& floors, Json& rows) {
    constexpr std::size_t kBytes = std::size_t{600} << 10U;
    constexpr unsigned kRepeats = 200;
    const auto bytes = inference::make_idle_model(kBytes / sizeof(float));
    TCFDL_ASSIGN(const auto model, deploy("bench/idle", bytes, 1));
    const Bytes body(kBytes, 0x5A);
    return add_rows(
        {{"nats_request", floors.nats(body), "nats_request"},
         {"stage_overhead", inference_of(client, "bench/idle", model), "nats_request", {{"nats_request", 1}}}},
        kBytes, kRepeats, rows);
  }

private:
  static Operation inference_of(Client& client, const char* function, const BenchModel& model) {
    return [&client, function, &model]() -> Status {
      TCFDL_TRY(infer(client, function, model.inputs, kWithin));
      return {};
    };
  }

  const BenchPlatform& platform_;
  ModelStore& store_;
  const crypto::SigningKey& owner_;
  const BenchPipelineOptions& options_;
};

} // namespace

Result<Json> bench_pipeline(const Session& session, const BenchPipelineOptions& options) {
  TCFDL_ASSIGN(const auto platform, BenchPlatform::start(session, kPipelineTopology));
  TCFDL_ASSIGN(const auto owner, platform->owner());
  TCFDL_ASSIGN(auto store_owner, platform->owner());
  TCFDL_ASSIGN(auto runtime, inference::RuntimeProcess::beside_own());
  TCFDL_ASSIGN(auto store,
               ModelStore::open(platform->directory() / "models", std::move(store_owner), std::move(runtime)));
  TCFDL_ASSIGN(const auto client, Client::connect("near"));
  TCFDL_ASSIGN(const auto floors, Floors::start());
  auto rows = Json::array();
  PipelineBench bench(*platform, store, owner, options);
  TCFDL_TRY(bench.add_mobilenet(*client, rows));
  TCFDL_TRY(bench.add_stage_overhead(*client, *floors, rows));
  return rows;
}

} // namespace tcfdl::cli
