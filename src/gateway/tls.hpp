// The gateway in TLS: a key that is made inside and a certificate that the authority gives to attested gateways alone.
#pragma once

#include "http/server_tls.hpp"
#include "sdk/provider.hpp"

namespace tcfdl::gateway {

/// Shows the first of `chain` and asks for certificates of clients. What the chain says is checked first: its root is
/// of the authority's key, its leaf of that root, of the identity's key, in force, and for the gateways of `cluster`.
/// UNAUTHENTICATED names what is not so; FAILED_PRECONDITION for no chain.
Result<std::shared_ptr<http::ServerTls>> make_server_tls(const sdk::Identity& identity, const sdk::TlsChain& chain,
                                                         const std::string& cluster, const Clock& clock);

/// The next chain in place of the present one, checked in the same way. After an error the present one stays.
Status renew_server_tls(http::ServerTls& tls, const sdk::Identity& identity, const sdk::TlsChain& chain,
                        const std::string& cluster, const Clock& clock);

} // namespace tcfdl::gateway
