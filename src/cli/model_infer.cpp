#include "base/file.hpp"
#include "cli/deployed_model.hpp"
#include "cli/model_inputs.hpp"
#include "crypto/secret.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace tcfdl::cli {
namespace {

struct InferOptions : MeasureOptions {
  std::string function;
  std::string out;
  std::chrono::milliseconds timeout{30'000};
};

/// A tensor's name as a file's.
std::string file_name(std::string name) {
  for (auto& each : name) {
    const auto is_plain =
        std::isalnum(static_cast<unsigned char>(each)) != 0 || each == '-' || each == '.' || each == '_';
    if (!is_plain) each = '_';
  }
  return name + ".npy";
}

Result<std::vector<std::filesystem::path>> write_outputs(const std::vector<inference::TensorView>& outputs,
                                                         const std::filesystem::path& directory) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return make_error(Code::kInvalidArgument, "cannot create {}: {}", directory.string(), failure.message());
  std::vector<std::filesystem::path> files;
  for (const auto& output : outputs) {
    TCFDL_ASSIGN(const auto array, inference::write_npy(output));
    files.push_back(directory / file_name(output.name));
    TCFDL_TRY(write_file(files.back(), array));
  }
  return files;
}

Status run_infer(const Session& session, const InferOptions& options) {
  crypto::protect_process();
  TCFDL_ASSIGN(const auto client, Client::connect(session.context));
  TCFDL_ASSIGN(const auto model, describe_model(*client, options.function, options.timeout));
  TCFDL_ASSIGN(const auto inputs, inputs_of(model.inputs, options));
  TCFDL_ASSIGN(const auto inferred, infer(*client, options.function, inputs, options.timeout));
  std::vector<std::filesystem::path> files;
  if (!options.out.empty()) {
    TCFDL_ASSIGN(files, write_outputs(inferred.outputs.views, std::filesystem::absolute(options.out)));
  }
  auto documents = Json::array();
  std::vector<std::vector<std::string>> rows{{"OUTPUT", "TYPE", "SHAPE", "BYTES"}};
  for (std::size_t i = 0; i < inferred.outputs.views.size(); ++i) {
    const auto& output = inferred.outputs.views[i];
    const auto type = std::string(inference::element_name(output.type));
    documents.push_back(
        {{"name", output.name}, {"type", type}, {"shape", output.shape}, {"bytes", output.data.size()}});
    if (!files.empty()) documents.back()["file"] = files[i].string();
    rows.push_back({output.name, type, inference::shape_text(output.shape), bytes_text(output.data.size())});
  }
  const auto& report = inferred.report;
  if (session.json) {
    print_json({{"model", model.name},
                {"version", model.version},
                {"stages", model.stages},
                {"outputs", documents},
                {"task_id", report.task_id},
                {"instance", report.instance},
                {"wait_us", report.wait_us},
                {"run_us", report.run_us},
                {"transfer_us", report.transfer_us}});
  } else {
    print(table(rows));
    print(fmt::format("{}@{} in {} stage{}: wait {} us, run {} us, transfer {} us\n", model.name, model.version,
                      model.stages, model.stages == 1 ? "" : "s", report.wait_us, report.run_us, report.transfer_us));
  }
  return {};
}

} // namespace

void add_model_infer_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("infer", "have a deployed model compute");
  auto options = std::make_shared<InferOptions>();
  command->add_option("function", options->function, "as it was deployed")->required()->type_name("FUNCTION");
  add_input_options(*command, options);
  command->add_option("--out", options->out, "where outputs are written, as NumPy arrays")->type_name("DIR");
  add_duration(*command, "--timeout", options->timeout, "of each call; default 30s");
  command->callback(session.run([&session, options] { return run_infer(session, *options); }));
}

} // namespace tcfdl::cli
