// Deploys a function: bundle, artefacts, signed descriptor, and the wait for its instances.
#pragma once

#include "cli/api.hpp"
#include "cli/function_file.hpp"

namespace tcfdl::cli {

struct DeployOptions {
  std::filesystem::path file;
  bool wait = true;
  std::chrono::milliseconds timeout{60'000}; ///< of the wait
  bool progress = false;                     ///< told on standard error
};

/// The function as the API tells it. DEADLINE_EXCEEDED when its instances do not become ready in time, with the last
/// error of one of them.
Result<nlohmann::json> deploy(Api& api, const sdk::Context& context, const DeployOptions& options);

} // namespace tcfdl::cli
