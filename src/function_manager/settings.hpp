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
  std::uint32_t warm = 0;             ///< instances more that stand ready

  friend bool operator==(const Scale&, const Scale&) = default;
};

/// What one instance needs; 0 where nothing is said.
struct Resources {
  std::uint64_t memory = 0;          ///< bytes
  std::uint64_t enclave_memory = 0;  ///< bytes
  std::uint32_t millicores = 0;      ///< thousandths of a processor core
  std::uint32_t most_millicores = 0; ///< that it may use
  std::uint32_t processes = 0;       ///< and threads, that it may have

  friend bool operator==(const Resources&, const Resources&) = default;
};

/// When a run of an instance counts as failed, and when another version of the program has shown that it works.
struct Health {
  std::uint32_t ready_within_ms = 30'000;  ///< from its launch until it is ready
  std::uint32_t answer_within_ms = 10'000; ///< a ping of its node
  std::uint32_t overdue_ms = 30'000;       ///< that a task may run past its deadline
  std::uint32_t trial_ms = 5'000;          ///< that enough instances of a new version stay ready without a failure
  std::uint32_t failures = 3;              ///< failed runs that end the trial

  friend bool operator==(const Health&, const Health&) = default;
};

struct FunctionSettings {
  Scale scale;
  Resources resources;
  Health health;
  std::map<std::string, std::string> labels; ///< of nodes that may run it

  friend bool operator==(const FunctionSettings&, const FunctionSettings&) = default;
};

/// Parses
/// `{"scale":{"min","max","response_time_ms","warm"},"resources":{"memory","enclave_memory","millicores",
/// "most_millicores","processes"},"labels":{…},
/// "health":{"ready_within_ms","answer_within_ms","overdue_ms","trial_ms","failures"}}`,
/// every key of which is optional; empty text gives the defaults. INVALID_ARGUMENT names the key and the bound.
Result<FunctionSettings> parse_settings(const std::string& json);

/// All keys, as JSON that `parse_settings` reads.
std::string write_settings(const FunctionSettings& settings);

} // namespace tcfdl::function_manager
