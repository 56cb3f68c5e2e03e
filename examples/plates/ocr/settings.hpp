// What the environment says of the networks.
#pragma once

#include <filesystem>
#include <tcfdl/result.hpp>

namespace plates {

struct ModelSettings {
  std::filesystem::path models = "models"; ///< PLATES_MODELS: the directory of the networks
  unsigned threads = 1;                    ///< PLATES_THREADS: for one run of a network, 1 to 64
};

/// INVALID_ARGUMENT when a variable has no sense.
tcfdl::Result<ModelSettings> settings_from_environment();

/// Loads a TextDetector or a TextRecogniser as the environment says.
template <class Network> tcfdl::Result<Network> load_from_environment() {
  TCFDL_ASSIGN(const auto settings, settings_from_environment());
  return Network::load(settings.models, settings.threads);
}

} // namespace plates
