#include "cli/model_inputs.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

namespace tcfdl::cli {
namespace {

/// `NAME=VALUE`, where names may have `=` and values none.
Result<std::pair<std::string, std::string>> split_pair(const std::string& text, const char* example) {
  const auto at = text.rfind('=');
  if (at != std::string::npos && at > 0 && at + 1 < text.size())
    return std::pair{text.substr(0, at), text.substr(at + 1)};
  return make_error(Code::kInvalidArgument, "'{}' is not of the form {}", text, example);
}

Result<double> number_of(const std::string& text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return number;
  return make_error(Code::kInvalidArgument, "'{}' is no number", text);
}

Result<std::map<std::string, std::vector<std::int64_t>>> shapes_of(const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& text : texts) {
    TCFDL_ASSIGN(const auto pair, split_pair(text, "NAME=1x3x480x640"));
    TCFDL_ASSIGN(shapes[pair.first], inference::parse_shape(pair.second));
  }
  return shapes;
}

Result<inference::InputTensors> make(const std::vector<inference::TensorInfo>& inputs, const MeasureOptions& options,
                                     const std::vector<std::string>& shapes, std::map<std::string, double> values) {
  inference::InputSources sources{.seed = options.seed};
  TCFDL_ASSIGN(sources.shapes, shapes_of(shapes));
  for (const auto& text : options.inputs) {
    TCFDL_ASSIGN(const auto pair, split_pair(text, "NAME=FILE.npy"));
    sources.files[pair.first] = pair.second;
  }
  sources.values = std::move(values);
  return inference::make_inputs(inputs, sources);
}

} // namespace

void add_input_options(CLI::App& command, const std::shared_ptr<MeasureOptions>& options) {
  command.add_option("--shape", options->shapes, "of an input, the largest: NAME=1x3x480x640")
      ->type_name("NAME=SHAPE")
      ->delimiter(',');
  command.add_option("--input", options->inputs, "an input's tensor as a NumPy array: NAME=FILE.npy")
      ->type_name("NAME=FILE");
  command.add_option("--value", options->values, "of all elements of an input: NAME=16000")->type_name("NAME=NUMBER");
  command.add_option("--seed", options->seed, "of inputs without a file; default 1");
}

void add_measure_options(CLI::App& command, const std::shared_ptr<MeasureOptions>& options) {
  add_input_options(command, options);
  command.add_option("--typical", options->typical, "of an input, the usual one, for the times: NAME=1x3x320x320")
      ->type_name("NAME=SHAPE")
      ->delimiter(',');
  command.add_option("--runs", options->runs, "that are timed; default 5")->check(CLI::Range(1, 1000));
  command.add_option("--threads", options->threads, "of an operator; default 1")->check(CLI::Range(1, 256));
  command.add_flag("--prepacking", options->prepacking, "copies of weights that some kernels are faster with");
}

inference::MeasureSettings settings_of(const MeasureOptions& options) {
  return {.runs = options.runs, .threads = options.threads, .prepacking = options.prepacking};
}

Result<std::map<std::string, double>> values_of(const MeasureOptions& options) {
  std::map<std::string, double> values;
  for (const auto& text : options.values) {
    TCFDL_ASSIGN(const auto pair, split_pair(text, "NAME=16000"));
    TCFDL_ASSIGN(values[pair.first], number_of(pair.second));
  }
  return values;
}

Result<inference::InputTensors> inputs_of(const std::vector<inference::TensorInfo>& inputs,
                                          const MeasureOptions& options) {
  TCFDL_ASSIGN(auto values, values_of(options));
  return make(inputs, options, options.shapes, std::move(values));
}

Result<inference::InputTensors> inputs_of(const inference::ModelRecord& record, const inference::ModelPlan& plan,
                                          const MeasureOptions& options) {
  TCFDL_ASSIGN(auto values, values_of(options));
  const auto has_file = [&](const std::string& name) {
    return std::ranges::any_of(options.inputs, [&](const auto& text) { return text.starts_with(name + "="); });
  };
  for (const auto& [name, value] : plan.values) {
    if (!has_file(name)) values.emplace(name, value);
  }
  return make(options.shapes.empty() ? plan.inputs : record.inputs, options, options.shapes, std::move(values));
}

Result<MeasuredModel> measure_model(inference::ModelStore& store, const inference::ModelRecord& record,
                                    const MeasureOptions& options) {
  TCFDL_ASSIGN(auto inputs, inputs_of(record.inputs, options));
  std::optional<inference::InputTensors> typical;
  if (!options.typical.empty()) {
    TCFDL_ASSIGN(auto values, values_of(options));
    TCFDL_ASSIGN(typical, make(record.inputs, options, options.typical, std::move(values)));
  }
  TCFDL_ASSIGN(auto profiled, inference::ProfiledModel::make(store, record, inputs, typical ? &*typical : nullptr,
                                                             settings_of(options)));
  return MeasuredModel{std::move(inputs), std::move(profiled)};
}

} // namespace tcfdl::cli
