// What servers are called in their TLS certificates, whatever their address is.
#pragma once

#include <string>

namespace tcfdl::collaboration {

/// All names are below it; the root certificate vouches for no other.
constexpr const char* kServerDomain = "tcfdl.internal";
constexpr const char* kServiceManagerServer = "service-manager.tcfdl.internal";

/// The servers of a cluster's master: its message queue, its API and its gateway.
inline std::string cluster_server(const std::string& cluster) { return cluster + ".cluster.tcfdl.internal"; }
/// A node of a cluster.
inline std::string node_server(const std::string& node, const std::string& cluster) {
  return node + "." + cluster_server(cluster);
}

} // namespace tcfdl::collaboration
