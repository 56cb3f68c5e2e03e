// Whether a plan's stages, one after the other, compute what the whole model does.
#pragma once

#include "inference/measurement.hpp"

namespace tcfdl::inference {

/// How far one output of the model is from another computation of it.
struct OutputDifference {
  std::string tensor;
  bool equal = true;      ///< bit for bit
  bool comparable = true; ///< of the same type and shape
  double greatest = 0;    ///< difference of two elements
  double relative = 0;    ///< `greatest` by the greatest magnitude in the tensor
};

struct Verification {
  std::vector<OutputDifference> optimised = {}; ///< against the optimised model in one piece with the same settings
  std::vector<OutputDifference> original = {};  ///< against the model as it was imported, without optimisations
  InputTensors whole = {};                      ///< what the optimised model in one piece made
  std::size_t stages = 0;
  std::uint64_t bytes = 0; ///< that went between stages
  double pipeline_us = 0;  ///< all stages' runs
  double whole_us = 0;     ///< the optimised model in one piece

  /// Every output has the same bits as the optimised model's and is within a relative tolerance of the original's.
  [[nodiscard]] bool passed(double tolerance) const;
};

constexpr double kTolerance = 1e-4; ///< where nothing else is said: optimisations order floating-point sums otherwise

/// Runs everything on the same inputs, the stages with the memory that the plan leaves their tensors.
/// FAILED_PRECONDITION for a plan of another ONNX Runtime or instruction set.
Result<Verification> verify_model(ModelStore& store, const ModelRecord& record, const ModelPlan& plan,
                                  const InputTensors& inputs);

/// Compares what was computed with what is wanted, by name. DATA_LOSS for a tensor that is missing, which `missing`
/// explains.
Result<std::vector<OutputDifference>> compare_outputs(std::span<const TensorView> computed,
                                                      std::span<const TensorView> wanted, std::string_view missing);

/// Compares two tensors of one name.
OutputDifference compare_tensors(const TensorView& left, const TensorView& right);

} // namespace tcfdl::inference
