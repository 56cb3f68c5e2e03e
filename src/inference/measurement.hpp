// Models and stages, measured: each run in a process of its own.
#pragma once

#include "inference/model_graph.hpp"
#include "inference/model_inputs.hpp"
#include "inference/model_store.hpp"

#include <memory>

namespace tcfdl::inference {

struct MeasureSettings {
  unsigned runs = 5; ///< that count, after one that warms up
  unsigned threads = 1;
  bool prepacking = false;
};

/// An optimised model with what its profile says. Owns a directory of the store in which its files lie.
class ProfiledModel {
public:
  /// Optimises the model where that was not done yet, and profiles it on `inputs`. `typical` gives the times where it
  /// is not null: memory is of the largest shapes, times of the usual ones.
  static Result<ProfiledModel> make(ModelStore& store, const ModelRecord& record, const InputTensors& inputs,
                                    const InputTensors* typical, const MeasureSettings& settings);
  ProfiledModel(ProfiledModel&&) noexcept;
  ProfiledModel& operator=(ProfiledModel&&) noexcept = delete;
  ~ProfiledModel();

  [[nodiscard]] const Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const onnx::ModelProto& model() const noexcept { return *model_; }
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_.path(); }
  [[nodiscard]] const OptimisedModel& optimised() const noexcept { return optimised_; }

private:
  ProfiledModel(OptimisedModel optimised, WorkDirectory directory, std::unique_ptr<onnx::ModelProto> model);
  Result<std::map<std::string, NodeProfile>> profile(const RuntimeProcess& runtime, const InputTensors& inputs,
                                                     const MeasureSettings& settings) const;

  OptimisedModel optimised_;
  WorkDirectory directory_;
  std::unique_ptr<onnx::ModelProto> model_;
  Graph graph_;
};

/// What a stage did.
struct MeasuredStage {
  std::string file; ///< packed, in the profiled model's directory
  std::uint64_t peak_memory = 0;
  std::uint64_t arena_size = 0;
  double run_us = 0;
};

/// Builds stages of a profiled model and runs them on the tensors that come out of each other.
class StageMeasurement {
public:
  StageMeasurement(const RuntimeProcess& runtime, const ProfiledModel& model, const InputTensors& inputs,
                   const MeasureSettings& settings);

  /// Operators [begin, end), whose inputs earlier calls must have made. Measures each stage once.
  Result<MeasuredStage> measure(std::size_t begin, std::size_t end);

  /// The peak of a process that runs one operator without weights.
  Result<std::uint64_t> measure_base();

private:
  Result<RuntimeAnswer> run(const std::filesystem::path& stage, std::span<const TensorView> inputs,
                            const std::filesystem::path& outputs);

  const RuntimeProcess& runtime_;
  const ProfiledModel& model_;
  MeasureSettings settings_;
  Lifetimes lifetimes_;
  std::map<std::string, TensorView> tensors_; ///< all that were made so far, by name
  std::vector<std::unique_ptr<Bytes>> messages_;
  std::map<std::pair<std::size_t, std::size_t>, MeasuredStage> measured_;
};

} // namespace tcfdl::inference
