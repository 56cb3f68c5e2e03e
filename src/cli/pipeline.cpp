#include "cli/pipeline.hpp"

#include "base/file.hpp"
#include "cli/deploy.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <thread>

namespace tcfdl::cli {
namespace {

using inference::StageFunction;
using nlohmann::json;

constexpr std::chrono::milliseconds kPollPeriod{200};
constexpr const char* kProgram = "tcfdl-stage";

/// Everything that a stage's bundle is made of.
struct Sources {
  std::filesystem::path programs;
  std::filesystem::path runtime;   ///< ONNX Runtime's file
  std::filesystem::path directory; ///< of the packed stages, for stage.json too
};

/// One heap for all threads, as when the stage was measured, of which at most 4 MiB are kept that nobody uses: what is
/// taken from the system anew for each message costs a fault for each page (mallopt(3)).
const std::vector<std::pair<std::string, std::string>> kAllocator{
    {"MALLOC_ARENA_MAX", "1"}, {"MALLOC_MMAP_THRESHOLD_", "4194304"}, {"MALLOC_TRIM_THRESHOLD_", "4194304"}};

Result<FunctionFile> function_of(const StageFunction& stage, const Sources& sources, const PipelineOptions& options) {
  const auto description = sources.directory / fmt::format("stage-{}.json", stage.description.stage);
  TCFDL_TRY(write_file(description, as_bytes(http::dump_json(to_json(stage.description), 2)), kPrivateFile));
  FunctionFile function;
  function.name = stage.name;
  function.command = {fmt::format("bin/{}", kProgram)};
  function.files = {
      {.source = sources.programs / kProgram, .path = function.command.front(), .executable = true},
      {.source = sources.runtime, .path = "lib/" + sources.runtime.filename().string()},
      {.source = description, .path = inference::kStageFile},
      {.source = sources.directory / stage.file.path, .path = stage.file.path, .confidential = options.confidential}};
  function.environment = kAllocator;
  function.concurrency = stage.concurrency;
  function.scale_max = options.most_instances;
  function.memory = fmt::format("{}B", stage.memory);
  function.enclave_memory = function.memory;
  function.idempotent = true;
  function.protections = {"eae"};
  function.tee_kinds = {"software"};
  function.assurance = {"software"};
  function.providers = {"*"};
  function.max_body = stage.largest_body;
  return function;
}

/// Later stages of a pipeline that are deployed, but for those of one plan.
Result<std::vector<std::string>> later_stages(Api& api, const std::string& pipeline,
                                              const std::vector<StageFunction>& but) {
  TCFDL_ASSIGN(const auto answer, api.get("/v1/functions"));
  std::vector<std::string> names;
  for (const auto& function : answer.value("functions", json::array())) {
    const auto name = function.value("name", std::string());
    const auto wanted = std::ranges::find(but, name, &StageFunction::name) != but.end();
    if (function.value("local", false) && inference::is_later_stage(name, pipeline) && !wanted) names.push_back(name);
  }
  return names;
}

/// Waits until no instance of an earlier version is left, which would call the stages of its own plan.
Status wait_for_earlier(Api& api, const std::string& name, std::uint64_t version, Deadline deadline) {
  for (;;) {
    TCFDL_ASSIGN(const auto function, api.get(function_target(name)));
    const auto instances = function.value("instances", json::array());
    const auto is_earlier = [&](const json& each) { return each.value("version", version) < version; };
    if (std::ranges::none_of(instances, is_earlier)) return {};
    if (deadline.expired()) return Deadline::exceeded("the end of the tasks of the version before");
    std::this_thread::sleep_for(kPollPeriod);
  }
}

Status remove_all(Api& api, const std::vector<std::string>& names) {
  for (const auto& name : names) TCFDL_TRY(api.remove(function_target(name)));
  return {};
}

/// The functions of a plan on a cluster: later stages first, so that whoever calls the first finds all.
class Rollout {
public:
  Rollout(Api& api, const sdk::Context& context, const crypto::SigningKey& owner, const PipelineOptions& options)
      : api_(api), context_(context), owner_(owner), options_(options) {}

  Result<std::vector<DeployedStage>> run(const std::vector<StageFunction>& stages, const Sources& sources) {
    std::vector<DeployedStage> deployed;
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      tell(fmt::format("stage {} of {}: {}", stage->description.stage, stages.size(), stage->name));
      TCFDL_ASSIGN(auto function, deploy_stage(*stage, sources));
      deployed.insert(deployed.begin(), {*stage, std::move(function)});
    }
    TCFDL_ASSIGN(const auto outdated, later_stages(api_, stages.front().name, stages));
    if (outdated.empty()) return deployed;
    tell("waiting for the tasks of the version before");
    const auto version = deployed.front().function.value("version", std::uint64_t{0});
    TCFDL_TRY(wait_for_earlier(api_, stages.front().name, version, Deadline::after(options_.timeout)));
    TCFDL_TRY(remove_all(api_, outdated));
    return deployed;
  }

private:
  Result<json> deploy_stage(const StageFunction& stage, const Sources& sources) {
    TCFDL_ASSIGN(const auto function, function_of(stage, sources, options_));
    TCFDL_ASSIGN(const auto bundle,
                 sign_function(function, owner_, [&] { return authority_seal_key(api_, context_); }));
    auto deployed = deploy(api_, bundle, {.timeout = options_.timeout, .progress = options_.progress});
    if (!deployed) return deployed.error().within(fmt::format("stage {}", stage.description.stage));
    return deployed;
  }
  void tell(const std::string& line) const {
    if (options_.progress) (void)std::fprintf(stderr, "%s\n", line.c_str());
  }

  Api& api_;
  const sdk::Context& context_;
  const crypto::SigningKey& owner_;
  const PipelineOptions& options_;
};

} // namespace

Result<std::vector<DeployedStage>> deploy_pipeline(const inference::ModelStore& store,
                                                   const inference::ModelRecord& record,
                                                   const inference::ModelPlan& plan, const sdk::Context& context,
                                                   const crypto::SigningKey& owner, const PipelineOptions& options) {
  TCFDL_ASSIGN(const auto work, store.work());
  TCFDL_TRY(store.put_out(plan.files(), work.path()));
  TCFDL_ASSIGN(auto programs, program_directory());
  TCFDL_ASSIGN(auto runtime, store.runtime_file());
  TCFDL_ASSIGN(auto api, Api::connect(context));
  return Rollout(api, context, owner, options)
      .run(inference::stage_functions(record, plan, options.name),
           {.programs = std::move(programs), .runtime = std::move(runtime), .directory = work.path()});
}

Result<std::vector<std::string>> remove_pipeline(Api& api, const std::string& name) {
  TCFDL_ASSIGN(auto names, later_stages(api, name, {}));
  // A deployment that failed may have left later stages alone.
  const auto first = api.remove(function_target(name));
  if (!first && (first.error().code() != Code::kNotFound || names.empty())) return first.error();
  TCFDL_TRY(remove_all(api, names));
  return names;
}

} // namespace tcfdl::cli
