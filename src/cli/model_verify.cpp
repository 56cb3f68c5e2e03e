#include "cli/deployed_model.hpp"
#include "cli/model_inputs.hpp"
#include "inference/verify_model.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace tcfdl::cli {
namespace {

using inference::OutputDifference;
using inference::Verification;

Json differences_json(const std::vector<OutputDifference>& differences) {
  auto list = Json::array();
  for (const auto& each : differences) {
    list.push_back({{"tensor", each.tensor},
                    {"equal", each.equal},
                    {"comparable", each.comparable},
                    {"greatest", each.greatest},
                    {"relative", each.relative}});
  }
  return list;
}

std::string verdict(const OutputDifference& each) {
  if (each.equal) return "equal bit for bit";
  if (!each.comparable) return "another type or shape";
  return fmt::format("differs by {:.3g} at most, relative {:.3g}", each.greatest, each.relative);
}

void print_verification(const Verification& verification, const std::vector<OutputDifference>& deployed, bool passed) {
  std::vector<std::vector<std::string>> rows{{"OUTPUT", "AGAINST", "RESULT"}};
  for (const auto& each : verification.optimised)
    rows.push_back({each.tensor, "the optimised model, whole", verdict(each)});
  for (const auto& each : verification.original) rows.push_back({each.tensor, "the model as imported", verdict(each)});
  for (const auto& each : deployed) rows.push_back({each.tensor, "what is deployed", verdict(each)});
  print(table(rows));
  print(fmt::format("{}: {} stage{}, {} between them, {:.2f} ms in stages, {:.2f} ms whole\n",
                    passed ? "passed" : "FAILED", verification.stages, verification.stages == 1 ? "" : "s",
                    bytes_text(verification.bytes), verification.pipeline_us / 1000, verification.whole_us / 1000));
}

struct VerifyOptions : MeasureOptions {
  double tolerance = inference::kTolerance;
  std::string deployed;
};

/// What a deployed pipeline computes, against the optimised model in one piece.
Result<std::vector<OutputDifference>> compare_deployed(const Session& session, const std::string& function,
                                                       const inference::InputTensors& inputs,
                                                       const inference::InputTensors& whole) {
  constexpr std::chrono::minutes kWithin{2};
  TCFDL_ASSIGN(const auto client, Client::connect(session.context));
  TCFDL_ASSIGN(const auto inferred, infer(*client, function, inputs, kWithin));
  return inference::compare_outputs(inferred.outputs.views, whole.views,
                                    fmt::format("{} does not give the model's output", function));
}

Result<int> verify(const Session& session, const VerifyOptions& options) {
  TCFDL_ASSIGN(auto store, open_store(options.model));
  TCFDL_ASSIGN(const auto record, find_model(store, options.model));
  TCFDL_ASSIGN(const auto plan, store.plan(record));
  TCFDL_ASSIGN(const auto inputs, inputs_of(record, plan, options));
  TCFDL_ASSIGN(const auto verification, inference::verify_model(store, record, plan, inputs));
  std::vector<OutputDifference> deployed;
  if (!options.deployed.empty()) {
    TCFDL_ASSIGN(deployed, compare_deployed(session, options.deployed, inputs, verification.whole));
  }
  const bool passed = verification.passed(options.tolerance) && std::ranges::all_of(deployed, &OutputDifference::equal);
  if (session.json) {
    print_json({{"passed", passed},
                {"tolerance", options.tolerance},
                {"stages", verification.stages},
                {"bytes", verification.bytes},
                {"pipeline_us", verification.pipeline_us},
                {"whole_us", verification.whole_us},
                {"optimised", differences_json(verification.optimised)},
                {"original", differences_json(verification.original)},
                {"deployed", differences_json(deployed)}});
  } else {
    print_verification(verification, deployed, passed);
  }
  return passed ? kAccepted : kRefused;
}

} // namespace

void add_model_verify_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("verify", "run the planned stages and the whole model, and compare");
  auto options = std::make_shared<VerifyOptions>();
  add_model_options(*command, {options, &options->model});
  add_input_options(*command, options);
  command
      ->add_option("--deployed", options->deployed, "has this deployed pipeline compute too; every bit must be equal")
      ->type_name("FUNCTION");
  command->add_option("--tolerance", options->tolerance, "relative, against the model as imported; default 0.0001")
      ->check(CLI::Range(0.0, 1.0));
  command->callback(
      [&session, options] { session.action = [&session, options] { return verify(session, *options); }; });
}

} // namespace tcfdl::cli
