#include "base/file.hpp"
#include "cli/client_tls.hpp"
#include "cli/deploy.hpp"
#include "cli/model_inputs.hpp"
#include "cli/owner_key.hpp"
#include "http/json.hpp"
#include "inference/deployment.hpp"
#include "inference/verify_model.hpp"

#include <CLI/CLI.hpp>
#include <thread>
#include <unistd.h>

namespace tcfdl::cli {
namespace {

using inference::StageFunction;

constexpr std::chrono::milliseconds kPollPeriod{200};
constexpr const char* kProgram = "tcfdl-stage";

struct DeployModelOptions : ModelOptions {
  std::string as;
  double tolerance = inference::kTolerance;
  std::uint32_t most_instances = 1;
  bool confidential = false;
  std::chrono::milliseconds timeout{120'000};
};

/// Everything that a stage's bundle is made of.
struct Sources {
  std::filesystem::path programs;
  std::filesystem::path library;   ///< ONNX Runtime's
  std::filesystem::path directory; ///< of the packed stages, for stage.json too
};

/// Has freed memory go back at once, as it did when the stage was measured (mallopt(3)).
const std::vector<std::pair<std::string, std::string>> kAllocator{{"MALLOC_ARENA_MAX", "1"},
                                                                  {"MALLOC_MMAP_THRESHOLD_", "65536"}};

Result<FunctionFile> function_of(const StageFunction& stage, const Sources& sources,
                                 const DeployModelOptions& options) {
  const auto description = sources.directory / fmt::format("stage-{}.json", stage.description.stage);
  TCFDL_TRY(write_file(description, as_bytes(http::dump_json(to_json(stage.description), 2)), kPrivateFile));
  FunctionFile function;
  function.name = stage.name;
  function.command = {fmt::format("bin/{}", kProgram)};
  function.files = {
      {.source = sources.programs / kProgram, .path = function.command.front(), .executable = true},
      {.source = sources.library, .path = "lib/" + sources.library.filename().string()},
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
  for (const auto& function : answer.value("functions", Json::array())) {
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
    const auto instances = function.value("instances", Json::array());
    const auto is_earlier = [&](const Json& each) { return each.value("version", version) < version; };
    if (std::ranges::none_of(instances, is_earlier)) return {};
    if (deadline.expired()) return Deadline::exceeded("the end of the tasks of the version before");
    std::this_thread::sleep_for(kPollPeriod);
  }
}

Status remove_all(Api& api, const std::vector<std::string>& names) {
  for (const auto& name : names) TCFDL_TRY(api.remove(function_target(name)));
  return {};
}

/// Refuses what does not compute what the whole model does.
Status check_plan(inference::ModelStore& store, const inference::ModelRecord& record, const inference::ModelPlan& plan,
                  double tolerance) {
  TCFDL_ASSIGN(const auto inputs, inputs_of(plan.inputs, {}));
  TCFDL_ASSIGN(const auto verification, inference::verify_model(store, record, plan, inputs));
  if (verification.passed(tolerance)) return {};
  return make_error(Code::kFailedPrecondition,
                    "the stages of {} do not compute what the whole model does; `tcfdl model verify {}` shows the "
                    "differences, --tolerance admits greater ones",
                    record.name, record.name);
}

/// The functions of a plan on a cluster: later stages first, so that whoever calls the first finds all.
class Rollout {
public:
  Rollout(Api& api, const sdk::Context& context, const DeployModelOptions& options, bool told)
      : api_(api), context_(context), options_(options), told_(told) {}

  Result<std::vector<Json>> run(const std::vector<StageFunction>& stages, const Sources& sources) {
    TCFDL_ASSIGN(const auto owner, choose_owner_key(options_.key));
    std::vector<Json> deployed;
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      tell(fmt::format("stage {} of {}: {}", stage->description.stage, stages.size(), stage->name));
      TCFDL_ASSIGN(auto function, deploy_stage(*stage, sources, owner));
      deployed.insert(deployed.begin(), std::move(function));
    }
    TCFDL_ASSIGN(const auto outdated, later_stages(api_, stages.front().name, stages));
    if (outdated.empty()) return deployed;
    tell("waiting for the tasks of the version before");
    const auto version = deployed.front().value("version", std::uint64_t{0});
    TCFDL_TRY(wait_for_earlier(api_, stages.front().name, version, Deadline::after(options_.timeout)));
    TCFDL_TRY(remove_all(api_, outdated));
    return deployed;
  }

private:
  Result<Json> deploy_stage(const StageFunction& stage, const Sources& sources, const crypto::SigningKey& owner) {
    TCFDL_ASSIGN(const auto function, function_of(stage, sources, options_));
    TCFDL_ASSIGN(const auto bundle, sign_function(function, owner, [&] { return authority_seal_key(api_, context_); }));
    auto deployed = deploy(api_, bundle, {.timeout = options_.timeout, .progress = told_});
    if (!deployed) return deployed.error().within(fmt::format("stage {}", stage.description.stage));
    return deployed;
  }
  void tell(const std::string& line) const {
    if (told_) (void)std::fprintf(stderr, "%s\n", line.c_str());
  }

  Api& api_;
  const sdk::Context& context_;
  const DeployModelOptions& options_;
  const bool told_;
};

void print_deployed(const std::vector<StageFunction>& stages, const std::vector<Json>& functions) {
  std::vector<std::vector<std::string>> rows{{"STAGE", "FUNCTION", "MEMORY", "TASKS", "READY"}};
  for (std::size_t i = 0; i < stages.size(); ++i) {
    rows.push_back({std::to_string(i + 1), stages[i].name, bytes_text(stages[i].memory),
                    std::to_string(stages[i].concurrency),
                    shown(functions[i], "instances_ready") + "/" + shown(functions[i], "instances_wanted")});
  }
  print(table(rows));
}

Json deployed_json(const std::vector<StageFunction>& stages, const std::vector<Json>& functions) {
  auto list = Json::array();
  for (std::size_t i = 0; i < stages.size(); ++i) {
    list.push_back({{"function", stages[i].name},
                    {"memory", stages[i].memory},
                    {"concurrency", stages[i].concurrency},
                    {"version", functions[i].value("version", std::uint64_t{0})},
                    {"instances_ready", functions[i].value("instances_ready", 0)}});
  }
  return list;
}

Status deploy_model(const Session& session, const DeployModelOptions& options) {
  TCFDL_ASSIGN(auto store, open_store(options));
  TCFDL_ASSIGN(const auto record, find_model(store, options));
  TCFDL_ASSIGN(const auto plan, store.plan(record));
  TCFDL_TRY(check_plan(store, record, plan, options.tolerance));
  const auto stages = inference::stage_functions(record, plan, options.as.empty() ? record.name : options.as);
  TCFDL_ASSIGN(const auto work, store.work());
  TCFDL_TRY(store.put_out(plan.files(), work.path()));
  Sources sources{.programs = {}, .library = {}, .directory = work.path()};
  TCFDL_ASSIGN(sources.programs, program_directory());
  TCFDL_ASSIGN(sources.library, store.library());
  TCFDL_ASSIGN(const auto context, load_api_context(session.context));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto functions, Rollout(api, context, options, ::isatty(STDERR_FILENO) == 1).run(stages, sources));
  if (session.json) {
    print_json({{"function", stages.front().name}, {"stages", deployed_json(stages, functions)}});
  } else {
    print_deployed(stages, functions);
  }
  return {};
}

Status undeploy_model(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto names, later_stages(api, name, {}));
  // A deployment that failed may have left later stages alone.
  const auto first = api.remove(function_target(name));
  if (!first && (first.error().code() != Code::kNotFound || names.empty())) return first;
  TCFDL_TRY(remove_all(api, names));
  if (session.json) {
    print_json({{"removed", name}, {"later_stages", names}});
  } else {
    print(fmt::format("removed {} with {} later stages\n", name, names.size()));
  }
  return {};
}

} // namespace

void add_model_deploy_commands(CLI::App& group, Session& session) {
  auto* deploying = group.add_subcommand("deploy", "deploy a planned model: a function for each stage");
  auto options = std::make_shared<DeployModelOptions>();
  add_model_options(*deploying, options);
  deploying->add_option("--as", options->as, "the function that callers call; default: the model's name")
      ->type_name("FUNCTION");
  deploying->add_option("--instances", options->most_instances, "of each stage at most, by load; default 1")
      ->check(CLI::Range(1, 1000));
  deploying->add_flag("--confidential", options->confidential,
                      "encrypt the stages: only attested instances of them get the key");
  deploying->add_option("--tolerance", options->tolerance, "as of `model verify`; default 0.0001")
      ->check(CLI::Range(0.0, 1.0));
  add_duration(*deploying, "--timeout", options->timeout, "for each stage to be ready; default 120s");
  deploying->callback(session.run([&session, options] { return deploy_model(session, *options); }));
  auto* undeploying = group.add_subcommand("undeploy", "remove a deployed model, with all its stages");
  auto name = std::make_shared<std::string>();
  undeploying->add_option("function", *name, "as it was deployed")->required()->type_name("FUNCTION");
  undeploying->callback(session.run([&session, name] { return undeploy_model(session, *name); }));
}

} // namespace tcfdl::cli
