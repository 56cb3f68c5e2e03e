// Instances and gateways as servers in TLS: with their own key and the certificate that the authority gives to those
// that are attested.
#pragma once

#include "base/clock.hpp"
#include "crypto/server_tls.hpp"
#include "sdk/identity.hpp"

namespace tcfdl::sdk {

/// X.509 in DER for the identity's key as a server: the leaf and the authority's root, as they came: unverified.
using TlsChain = std::vector<Bytes>;

TlsChain chain_of(const wire::ProxyAttached& attached);

/// Whether a server asks its peers for certificates of the authority's root.
enum class PeerCertificates : std::uint8_t { kNotAsked, kAsked };

/// Shows the first of `chain`. What the chain says is checked first: its root is of the authority's key, its leaf of
/// that root, of the identity's key, in force, and for `server_name`. UNAUTHENTICATED names what is not so;
/// FAILED_PRECONDITION for no chain.
Result<std::shared_ptr<crypto::ServerTls>> make_server_tls(const Identity& identity, const TlsChain& chain,
                                                           const std::string& server_name, PeerCertificates peers,
                                                           const Clock& clock);

/// The next chain in place of the present one, checked in the same way. After an error the present one stays.
Status renew_server_tls(crypto::ServerTls& tls, const Identity& identity, const TlsChain& chain,
                        const std::string& server_name, const Clock& clock);

/// What a caller trusts who talks to instances in TLS: `root`, DER from outside, if it is of the authority's key.
/// UNAUTHENTICATED otherwise.
Result<crypto::TlsContext> trust_instances(BytesView root, const Identity& identity, UnixSeconds now);

} // namespace tcfdl::sdk
