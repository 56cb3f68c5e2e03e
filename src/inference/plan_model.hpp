// Plans a model so that what is measured of every stage fits, not only what was predicted.
#pragma once

#include "inference/measurement.hpp"

#include <functional>

namespace tcfdl::inference {

struct PlanModelSettings {
  PlannerSettings planner; ///< nodes' memory as enclaves have it
  MeasureSettings measure;
  std::uint64_t reserve = 0; ///< bytes of each enclave that a stage must leave
};

/// What goes on, for who waits: a line each.
using Progress = std::function<void(const std::string&)>;

/// Plans, runs every stage in a process of its own, takes what it measured into account where a stage needs more than
/// its enclave has for it, and plans anew until every stage fits. The stages' files lie in the model's directory, their
/// hashes are set by `ModelStore::keep_plan`. Errors of `partition_graph`, told with what was measured;
/// RESOURCE_EXHAUSTED when it does not end.
Result<ModelPlan> plan_model(const ModelStore& store, const ModelRecord& record, const ProfiledModel& model,
                             const InputTensors& inputs, const PlanModelSettings& settings, const Progress& progress);

} // namespace tcfdl::inference
