#include "cli/client_tls.hpp"
#include "cli/model_inputs.hpp"
#include "cli/owner_key.hpp"
#include "cli/pipeline.hpp"
#include "inference/verify_model.hpp"

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace tcfdl::cli {
namespace {

struct DeployModelOptions : ModelOptions {
  PipelineOptions pipeline;
  double tolerance = inference::kTolerance;
};

/// Refuses what does not compute what the whole model does.
Status check_plan(inference::ModelStore& store, const inference::ModelRecord& record, const inference::ModelPlan& plan,
                  double tolerance) {
  TCFDL_ASSIGN(const auto inputs, inputs_of(record, plan, {}));
  TCFDL_ASSIGN(const auto verification, inference::verify_model(store, record, plan, inputs));
  if (verification.passed(tolerance)) return {};
  return make_error(Code::kFailedPrecondition,
                    "the stages of {} do not compute what the whole model does; `tcfdl model verify {}` shows the "
                    "differences, --tolerance admits greater ones",
                    record.name, record.name);
}

void print_deployed(const std::vector<DeployedStage>& stages) {
  std::vector<std::vector<std::string>> rows{{"STAGE", "FUNCTION", "MEMORY", "TASKS", "READY"}};
  for (const auto& [stage, function] : stages) {
    rows.push_back({std::to_string(stage.description.stage), stage.name, bytes_text(stage.memory),
                    std::to_string(stage.concurrency),
                    shown(function, "instances_ready") + "/" + shown(function, "instances_wanted")});
  }
  print(table(rows));
}

Json deployed_json(const std::vector<DeployedStage>& stages) {
  auto list = Json::array();
  for (const auto& [stage, function] : stages) {
    list.push_back({{"function", stage.name},
                    {"memory", stage.memory},
                    {"concurrency", stage.concurrency},
                    {"version", function.value("version", std::uint64_t{0})},
                    {"instances_ready", function.value("instances_ready", 0)}});
  }
  return list;
}

Status deploy_model(const Session& session, DeployModelOptions options) {
  TCFDL_ASSIGN(auto store, open_store(options));
  TCFDL_ASSIGN(const auto record, find_model(store, options));
  TCFDL_ASSIGN(const auto plan, store.plan(record));
  TCFDL_TRY(check_plan(store, record, plan, options.tolerance));
  if (options.pipeline.name.empty()) options.pipeline.name = record.name;
  options.pipeline.progress = ::isatty(STDERR_FILENO) == 1;
  TCFDL_ASSIGN(const auto context, load_api_context(session.context));
  TCFDL_ASSIGN(const auto owner, choose_owner_key(options.key));
  TCFDL_ASSIGN(const auto stages, deploy_pipeline(store, record, plan, context, owner, options.pipeline));
  if (session.json) {
    print_json({{"function", options.pipeline.name}, {"stages", deployed_json(stages)}});
  } else {
    print_deployed(stages);
  }
  return {};
}

Status undeploy_model(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto later, remove_pipeline(api, name));
  if (session.json) {
    print_json({{"removed", name}, {"later_stages", later}});
  } else {
    print(fmt::format("removed {} with {} later stages\n", name, later.size()));
  }
  return {};
}

} // namespace

void add_model_deploy_commands(CLI::App& group, Session& session) {
  auto* deploying = group.add_subcommand("deploy", "deploy a planned model: a function for each stage");
  auto options = std::make_shared<DeployModelOptions>();
  add_model_options(*deploying, options);
  deploying->add_option("--as", options->pipeline.name, "the function that callers call; default: the model's name")
      ->type_name("FUNCTION");
  deploying->add_option("--instances", options->pipeline.most_instances, "of each stage at most, by load; default 1")
      ->check(CLI::Range(1, 1000));
  deploying->add_flag("--confidential", options->pipeline.confidential,
                      "encrypt the stages: only attested instances of them get the key");
  deploying->add_option("--tolerance", options->tolerance, "as of `model verify`; default 0.0001")
      ->check(CLI::Range(0.0, 1.0));
  add_duration(*deploying, "--timeout", options->pipeline.timeout, "for each stage to be ready; default 120s");
  deploying->callback(session.run([&session, options] { return deploy_model(session, *options); }));
  auto* undeploying = group.add_subcommand("undeploy", "remove a deployed model, with all its stages");
  auto name = std::make_shared<std::string>();
  undeploying->add_option("function", *name, "as it was deployed")->required()->type_name("FUNCTION");
  undeploying->callback(session.run([&session, name] { return undeploy_model(session, *name); }));
}

} // namespace tcfdl::cli
