// How a node's daemon and its TEE proxy recognise each other over loopback TCP. docs/formats/proxy_lines.md.
#pragma once

#include "crypto/secret.hpp"
#include "wire/connection.hpp"

#include <string_view>

namespace tcfdl::wire {

/// What a connection between daemon and proxy is for; each is there once.
enum class ProxyLine : std::uint8_t {
  kCommands = 1,  ///< the daemon's, answered by the proxy; the proxy ends with it
  kEvents = 2,    ///< the proxy's, answered by the daemon
  kAuthority = 3, ///< the same for what is asked of the authority
};
constexpr std::size_t kProxyLines = 3;

std::string_view to_string(ProxyLine line);

/// Drawn by the daemon for one start of its proxy, given to that process alone.
constexpr std::size_t kLineSecretSize = 32;
using LineSecret = crypto::SecretArray<kLineSecretSize>;

/// The proxy's side of a fresh connection: hears the daemon's proof, then gives its own. UNAUTHENTICATED when the peer
/// does not know the secret; UNAVAILABLE, DEADLINE_EXCEEDED.
Status prove_line(Connection& connection, ProxyLine line, const LineSecret& secret, Deadline deadline);

/// The daemon's side: which line it is. UNAUTHENTICATED for a wrong proof and for what has not the form of one;
/// UNAVAILABLE, DEADLINE_EXCEEDED.
Result<ProxyLine> admit_line(Connection& connection, const LineSecret& secret, Deadline deadline);

} // namespace tcfdl::wire
