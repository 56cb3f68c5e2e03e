// A planned model as functions, one for each stage.
#pragma once

#include "inference/model_plan.hpp"
#include "inference/stage_description.hpp"

namespace tcfdl::inference {

/// A stage as a function of the program tcfdl-stage.
struct StageFunction {
  std::string name;
  StageDescription description = {};
  StoredFile file = {};           ///< the packed stage
  std::uint64_t largest_body = 0; ///< bytes of a message at the largest shapes
  std::uint64_t memory = 0;       ///< of its enclave, bytes
  unsigned concurrency = 1;       ///< tasks of which it has tensors at once
};

/// The functions of a plan, in the order of its stages. The first has the pipeline's name; the others are named after
/// the plan too, `NAME/ID/STAGE`, so that pipelines of two plans stand side by side. As many tasks are in a stage as
/// the plan's reserve has room for, and as its pipeline has use for.
std::vector<StageFunction> stage_functions(const ModelRecord& record, const ModelPlan& plan, const std::string& name);

/// Whether a function is a later stage of that pipeline.
bool is_later_stage(std::string_view function, std::string_view pipeline) noexcept;

/// What tcfdl-stage takes beside its stage: the SDK and its threads.
constexpr std::uint64_t kStageProgramMemory = std::uint64_t{8} << 20U;

} // namespace tcfdl::inference
