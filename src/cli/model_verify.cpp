#include "cli/model_inputs.hpp"
#include "inference/verify_model.hpp"

#include <CLI/CLI.hpp>

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

void print_verification(const Verification& verification, bool passed) {
  std::vector<std::vector<std::string>> rows{{"OUTPUT", "AGAINST", "RESULT"}};
  for (const auto& each : verification.optimised)
    rows.push_back({each.tensor, "the optimised model, whole", verdict(each)});
  for (const auto& each : verification.original) rows.push_back({each.tensor, "the model as imported", verdict(each)});
  print(table(rows));
  print(fmt::format("{}: {} stage{}, {} between them, {:.2f} ms in stages, {:.2f} ms whole\n",
                    passed ? "passed" : "FAILED", verification.stages, verification.stages == 1 ? "" : "s",
                    bytes_text(verification.bytes), verification.pipeline_us / 1000, verification.whole_us / 1000));
}

struct VerifyOptions : MeasureOptions {
  double tolerance = inference::kTolerance;
};

Result<int> verify(const Session& session, const VerifyOptions& options) {
  TCFDL_ASSIGN(auto store, open_store(options.model));
  TCFDL_ASSIGN(const auto record, find_model(store, options.model));
  TCFDL_ASSIGN(const auto plan, store.plan(record));
  TCFDL_ASSIGN(const auto inputs, inputs_of(options.shapes.empty() ? plan.inputs : record.inputs, options));
  TCFDL_ASSIGN(const auto verification, inference::verify_model(store, record, plan, inputs));
  const bool passed = verification.passed(options.tolerance);
  if (session.json) {
    print_json({{"passed", passed},
                {"tolerance", options.tolerance},
                {"stages", verification.stages},
                {"bytes", verification.bytes},
                {"pipeline_us", verification.pipeline_us},
                {"whole_us", verification.whole_us},
                {"optimised", differences_json(verification.optimised)},
                {"original", differences_json(verification.original)}});
  } else {
    print_verification(verification, passed);
  }
  return passed ? kAccepted : kRefused;
}

} // namespace

void add_model_verify_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("verify", "run the planned stages and the whole model, and compare");
  auto options = std::make_shared<VerifyOptions>();
  add_model_options(*command, {options, &options->model});
  add_input_options(*command, options);
  command->add_option("--tolerance", options->tolerance, "relative, against the model as imported; default 0.0001")
      ->check(CLI::Range(0.0, 1.0));
  command->callback(
      [&session, options] { session.action = [&session, options] { return verify(session, *options); }; });
}

} // namespace tcfdl::cli
