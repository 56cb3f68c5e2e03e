// How the registry's operations change its tables.
#pragma once

#include "service_manager/operation_log.hpp"

namespace tcfdl::service_manager::registry {

/// Teaches `log` the operations ClusterRenewed, FunctionRegistered, FunctionUnregistered, FunctionStaged and
/// FunctionWithdrawn.
void teach(OperationLog& log, std::int64_t functions_per_cluster);

} // namespace tcfdl::service_manager::registry
