#include "settings.hpp"

#include <charconv>
#include <cstdlib>
#include <string>

namespace plates {

using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

Result<ModelSettings> settings_from_environment() {
  constexpr unsigned kMostThreads = 64;
  ModelSettings settings;
  if (const char* const models = std::getenv("PLATES_MODELS")) settings.models = models;
  if (const char* const text = std::getenv("PLATES_THREADS")) {
    const std::string_view threads = text;
    const auto [end, error] = std::from_chars(threads.begin(), threads.end(), settings.threads);
    if (error != std::errc() || end != threads.end() || settings.threads < 1 || settings.threads > kMostThreads) {
      return Error(Code::kInvalidArgument,
                   "PLATES_THREADS is '" + std::string(threads) + "', a number from 1 to 64 is needed");
    }
  }
  return settings;
}

} // namespace plates
