// Fetching artefacts from the master.
#pragma once

#include "node/bundle_cache.hpp"
#include "node/identity.hpp"
#include "sdk/task_manager_client.hpp"

namespace tcfdl::node {

/// The node as a caller of its master. Its sealing key is fresh: nothing is ever sealed to it.
Result<sdk::Identity> caller_identity(const std::string& node, const NodeIdentity& identity);

/// Fetches by the master's direct connection.
FetchFile fetch_from(sdk::TaskManagerClient& master);

} // namespace tcfdl::node
