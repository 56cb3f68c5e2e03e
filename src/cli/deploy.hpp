// Deploys a function: signed descriptor, artefacts, and the wait for its instances.
#pragma once

#include "cli/api.hpp"
#include "cli/signed_bundle.hpp"

namespace tcfdl::cli {

struct DeployWait {
  bool until_ready = true;
  std::chrono::milliseconds timeout{60'000}; ///< of the wait
  bool progress = false;                     ///< told on standard error
};

struct DeployOptions {
  std::filesystem::path file; ///< a function file, or the directory of a signed function
  std::string key = {};       ///< the owner's key file; empty: the default one
  DeployWait wait = {};
};

/// The authority's key for content keys, as its cluster's API tells it, checked with the context's key of the
/// authority. UNAUTHENTICATED.
Result<Bytes> authority_seal_key(Api& api, const sdk::Context& context);

/// Reads a function file and signs it with the owner's key, or the default one where `key` is empty.
Result<SignedBundle> sign_file(const std::filesystem::path& file, const std::string& key,
                               const AskSealKey& ask_seal_key);

/// The function as the API tells it, once it is deployed. DEADLINE_EXCEEDED when its instances do not become ready in
/// time, with the last error of one of them.
Result<nlohmann::json> deploy(Api& api, const SignedBundle& bundle, const DeployWait& wait);
/// The same, from a file.
Result<nlohmann::json> deploy(Api& api, const sdk::Context& context, const DeployOptions& options);

} // namespace tcfdl::cli
