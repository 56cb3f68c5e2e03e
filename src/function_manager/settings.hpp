// How a cluster runs a function: what its deployer chooses beside the owner's descriptor.
#pragma once

#include "base/result.hpp"

#include <map>
#include <string>

namespace tcfdl::function_manager {

/// The number of instances that scaling keeps to.
struct Scale {
  std::uint32_t min = 1;
  std::uint32_t max = 4;
  std::uint32_t response_time_ms = 0; ///< from a task's arrival to its end; 0: no target

  friend bool operator==(const Scale&, const Scale&) = default;
};

/// What one instance needs; 0 where nothing is said.
struct Resources {
  std::uint64_t memory = 0;         ///< bytes
  std::uint64_t enclave_memory = 0; ///< bytes
  std::uint32_t millicores = 0;     ///< thousandths of a processor core

  friend bool operator==(const Resources&, const Resources&) = default;
};

struct FunctionSettings {
  Scale scale;
  Resources resources;
  std::map<std::string, std::string> labels; ///< of nodes that may run it

  friend bool operator==(const FunctionSettings&, const FunctionSettings&) = default;
};

/// Parses
/// `{"scale":{"min","max","response_time_ms"},"resources":{"memory","enclave_memory","millicores"},"labels":{…}}`,
/// every key of which is optional; empty text gives the defaults. INVALID_ARGUMENT names the key and the bound.
Result<FunctionSettings> parse_settings(const std::string& json);

/// All keys, as JSON that `parse_settings` reads.
std::string write_settings(const FunctionSettings& settings);

} // namespace tcfdl::function_manager
