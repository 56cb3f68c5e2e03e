// What servers and clients are called in their TLS certificates, whatever their address is.
#pragma once

#include "base/encoding.hpp"
#include "crypto/hash.hpp"

#include <string>

namespace tcfdl::wire {

/// All names are below it; the root certificate vouches for no other.
constexpr const char* kServerDomain = "tcfdl.internal";
constexpr const char* kServiceManagerServer = "service-manager.tcfdl.internal";

/// The servers of a cluster's master: its message queue and its API.
inline std::string cluster_server(const std::string& cluster) { return cluster + ".cluster.tcfdl.internal"; }
/// A node of a cluster.
inline std::string node_server(const std::string& node, const std::string& cluster) {
  return node + "." + cluster_server(cluster);
}
/// The gateways of a cluster, which their master is not.
inline std::string gateway_server(const std::string& cluster) { return cluster + ".gateway.tcfdl.internal"; }
/// An instance of a cluster: by the first half of the SHA-256 of its name, which may be longer than DNS permits.
inline std::string instance_server(const std::string& instance, const std::string& cluster) {
  return to_hex(crypto::sha256(as_bytes(instance))).substr(0, 32) + "." + cluster + ".instance.tcfdl.internal";
}
/// A client of a cluster, which is no server.
inline std::string client_name(const std::string& client, const std::string& cluster) {
  return client + "." + cluster + ".client.tcfdl.internal";
}

} // namespace tcfdl::wire
