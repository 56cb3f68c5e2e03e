// The section `callers` of a master's configuration file and of topologies. docs/formats/topology.md.
#pragma once

#include "base/config.hpp"
#include "task_manager/types.hpp"

namespace tcfdl::node {

/// `callers: [{name, weight, priority}]`, which may be absent. INVALID_ARGUMENT names the key at fault.
Result<task_manager::CallerShares> read_caller_shares(ConfigMapping& config);

/// The line that is read back; empty for no callers.
std::string write_caller_shares(const task_manager::CallerShares& shares);

} // namespace tcfdl::node
