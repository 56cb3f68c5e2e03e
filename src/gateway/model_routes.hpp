// /v2: deployed models by the Open Inference Protocol. docs/models.md.
#pragma once

#include "gateway/invoke.hpp"
#include "inference/stage_description.hpp"

#include <map>

namespace tcfdl::gateway {

/// Descriptions of deployed models, kept for some seconds: they are the same for all callers. Thread-safe.
class ModelDescriptions {
public:
  using Pointer = std::shared_ptr<const inference::ModelDescription>;

  /// nullptr for none, or none any more.
  Pointer find(const std::string& cluster, const std::string& function) const;
  void keep(const std::string& cluster, const std::string& function, Pointer description);
  void forget(const std::string& cluster, const std::string& function);

private:
  struct Kept {
    Pointer description;
    Deadline until;
  };
  Guarded<std::map<std::pair<std::string, std::string>, Kept>> kept_;
};

/// What describes and runs the model is its function, called as POST /v1/functions/NAME/invoke does it.
void add_model_routes(http::Server& server, const InvokeParts& parts, ModelDescriptions& descriptions);

/// Errors below /v2 are `{"error": "…"}`: for `ServerSettings::reshape_problem`.
void reshape_problem(std::string_view path, http::Response& problem);

} // namespace tcfdl::gateway
