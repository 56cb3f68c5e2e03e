#include "cli/deployed_model.hpp"

namespace tcfdl::cli {
namespace {

CallOptions call_options(std::chrono::milliseconds timeout, const char* content_type) {
  CallOptions options;
  options.timeout = timeout;
  options.content_type = content_type;
  return options;
}

} // namespace

Result<inference::ModelDescription> describe_model(Client& client, const std::string& function,
                                                   std::chrono::milliseconds timeout) {
  TCFDL_ASSIGN(const auto told, client.call(function, {}, call_options(timeout, inference::kModelType)));
  auto description = inference::parse_model_description(told.body);
  if (!description) return description.error().within(fmt::format("{} is no deployed model", function));
  return description;
}

Result<Inferred> infer(Client& client, const std::string& function, const inference::InputTensors& inputs,
                       std::chrono::milliseconds timeout) {
  TCFDL_ASSIGN(auto called, client.call(function, inference::write_tensors(inputs.views),
                                        call_options(timeout, inference::kTensorsType)));
  Inferred inferred{.outputs = {}, .report = std::move(called.report)};
  inferred.outputs.owned.push_back(std::move(called.body));
  TCFDL_ASSIGN(inferred.outputs.views, inference::parse_tensors(inferred.outputs.owned.back()));
  return inferred;
}

} // namespace tcfdl::cli
