// Starting a measured program as a process that dies with its starter.
#pragma once

#include "tee/bundle.hpp"

#include <map>
#include <sys/types.h>

namespace tcfdl::tee {

struct LaunchSettings {
  std::map<std::string, std::string> environment; ///< the platform's; the manifest's own comes first
  std::filesystem::path log;                      ///< takes standard output and error; empty: they go nowhere
};

/// Executes the bundle's program from its sealed memory, in the bundle's directory and in a process group of its own.
/// The process is killed when the calling thread ends: call from a thread that lives as long as the program.
Result<pid_t> launch(const MeasuredBundle& bundle, const LaunchSettings& settings);

} // namespace tcfdl::tee
