// Options that say what a model is measured with.
#pragma once

#include "cli/models.hpp"
#include "inference/measurement.hpp"

namespace tcfdl::cli {

struct MeasureOptions {
  ModelOptions model;
  std::vector<std::string> shapes;  ///< NAME=1x3x480x640, the largest
  std::vector<std::string> typical; ///< as `shapes`
  std::vector<std::string> inputs;  ///< NAME=FILE.npy
  std::vector<std::string> values;  ///< NAME=16000
  std::uint64_t seed = 1;
  unsigned runs = 5;
  unsigned threads = 1;
  bool prepacking = false;
};

/// `--shape`, `--input`, `--value` and `--seed`.
void add_input_options(CLI::App& command, const std::shared_ptr<MeasureOptions>& options);
/// The same, and `--typical`, `--runs`, `--threads`, `--prepacking`.
void add_measure_options(CLI::App& command, const std::shared_ptr<MeasureOptions>& options);

/// The tensors that the options describe, for these inputs of a model.
Result<inference::InputTensors> inputs_of(const std::vector<inference::TensorInfo>& inputs,
                                          const MeasureOptions& options);

/// The same for a plan: of its shapes, and with its values, where the options name no others.
Result<inference::InputTensors> inputs_of(const inference::ModelRecord& record, const inference::ModelPlan& plan,
                                          const MeasureOptions& options);

/// What `--value` says.
Result<std::map<std::string, double>> values_of(const MeasureOptions& options);

/// A model as it is measured.
struct MeasuredModel {
  inference::InputTensors inputs;
  inference::ProfiledModel profiled;
};

/// Profiles the model at its largest shapes, and at the usual ones where the options name some.
Result<MeasuredModel> measure_model(inference::ModelStore& store, const inference::ModelRecord& record,
                                    const MeasureOptions& options);

inference::MeasureSettings settings_of(const MeasureOptions& options);

} // namespace tcfdl::cli
