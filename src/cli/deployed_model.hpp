// A deployed model as its callers see it.
#pragma once

#include "inference/model_inputs.hpp"
#include "inference/stage_description.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::cli {

/// What its first stage tells. Errors of the call; INVALID_ARGUMENT for a function that is no deployed model.
Result<inference::ModelDescription> describe_model(Client& client, const std::string& function,
                                                   std::chrono::milliseconds timeout);

/// The model's outputs for these inputs, with what the call tells of itself.
struct Inferred {
  inference::InputTensors outputs;
  CallReport report;
};
Result<Inferred> infer(Client& client, const std::string& function, const inference::InputTensors& inputs,
                       std::chrono::milliseconds timeout);

} // namespace tcfdl::cli
