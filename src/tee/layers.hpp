// The layers of the software TEE by name.
#pragma once

#include "base/result.hpp"

#include <set>
#include <string>

namespace tcfdl::tee {

/// Names of layers, as configurations and statements have them. docs/software_tee.md says what each of them does.
constexpr std::string_view kNamespaces = "namespaces";
constexpr std::string_view kSeccomp = "seccomp";
constexpr std::string_view kLandlock = "landlock";
constexpr std::string_view kMemory = "memory";       ///< a limit of some kind
constexpr std::string_view kMemoryGroup = "cgroup";  ///< a limit that a control group holds
constexpr std::string_view kProcesses = "processes"; ///< likewise, of processes and threads
constexpr std::string_view kProcessor = "processor"; ///< likewise, of processor time

/// A set of layer names from a list with commas. INVALID_ARGUMENT for an unknown one, which it names.
Result<std::set<std::string>> parse_layers(std::string_view text);

/// All that are required where the configuration says nothing.
std::set<std::string> default_layers();

} // namespace tcfdl::tee
