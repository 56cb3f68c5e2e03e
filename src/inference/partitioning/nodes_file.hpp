// The nodes that a pipeline may use, as YAML. docs/models.md.
#pragma once

#include "inference/partitioning/planner.hpp"

namespace tcfdl::inference {

/// `nodes`, each with `name`, `count`, `enclave_memory`, `speed` and `bandwidth`, and `link` with `latency_us` and
/// `sealing`. Only `name` and `enclave_memory` must be there. INVALID_ARGUMENT for unknown keys and values out of
/// range; `where` names the file.
Result<PlannerSettings> parse_nodes_file(const std::string& text, const std::string& where);

} // namespace tcfdl::inference
