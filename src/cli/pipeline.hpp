// Planned models as pipelines of functions on a cluster.
#pragma once

#include "cli/api.hpp"
#include "crypto/signature.hpp"
#include "inference/deployment.hpp"
#include "inference/model_store.hpp"

namespace tcfdl::cli {

struct PipelineOptions {
  std::string name;                           ///< of the function that callers call
  std::uint32_t most_instances = 1;           ///< of each stage
  bool confidential = false;                  ///< stages are encrypted for their instances
  std::chrono::milliseconds timeout{120'000}; ///< for each stage to be ready
  bool progress = false;                      ///< told on standard error
};

/// A stage and its function as the API tells it.
struct DeployedStage {
  inference::StageFunction stage;
  nlohmann::json function;
};

/// Deploys the stages of a plan, later ones first, so that whoever calls the first finds all. Later stages of other
/// plans are removed once the tasks that use them are done. The first error names the stage; what it left behind is
/// overwritten by the next deployment, or removed by `remove_pipeline`.
Result<std::vector<DeployedStage>> deploy_pipeline(const inference::ModelStore& store,
                                                   const inference::ModelRecord& record,
                                                   const inference::ModelPlan& plan, const sdk::Context& context,
                                                   const crypto::SigningKey& owner, const PipelineOptions& options);

/// Removes the function and all its later stages, whose names it gives. NOT_FOUND.
Result<std::vector<std::string>> remove_pipeline(Api& api, const std::string& name);

} // namespace tcfdl::cli
