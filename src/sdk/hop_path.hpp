// The caller's end of hop-by-hop protection: a path of TEE proxies to an instance. docs/formats/hse.md.
#pragma once

#include "sdk/identity.hpp"
#include "sdk/ports.hpp"
#include "wire/hop_channel.hpp"

namespace tcfdl::sdk {

/// The first hop of a path that stands. The channel, wherever it is moved to, goes before the carrier.
struct HopPath {
  std::unique_ptr<wire::Connection> carrier;
  std::unique_ptr<wire::HopChannel> channel;
  std::vector<std::string> proxies; ///< in order
  Deadline renewal;                 ///< after it the next task takes a new path, with new shares
};

/// Agrees keys with the entry proxy of the caller's cluster and has the path extended to the instance of a grant.
/// `now`: Unix seconds. PERMISSION_DENIED where a proxy or the instance is not what the grant says; UNAVAILABLE where
/// the path cannot be built.
Result<std::unique_ptr<HopPath>> open_hop_path(const Identity& identity, TaskManager& task_manager,
                                               const wire::LeaseGrant& grant, const std::string& function,
                                               std::int64_t now, Deadline deadline);

} // namespace tcfdl::sdk
