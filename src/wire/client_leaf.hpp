// A client in TLS: the X.509 certificate that carries what the authority states of it. docs/formats/statements.md.
#pragma once

#include "wire/revocations.hpp"

namespace tcfdl::wire {

/// Whose certificate was shown in TLS.
struct TlsClient {
  Signed certificate; ///< as the leaf carries it
  Certificate parsed; ///< of `certificate`, verified
};

/// What a verifier believes; all outlive the call.
struct ClientLeafTrust {
  const crypto::VerifyKey& authority;
  const std::string& cluster; ///< whose clients are meant
  const Revocations& revocations;
  std::int64_t now; ///< Unix seconds
};

/// The client that proved in TLS that it holds the key of `leaf`, DER of X.509. The chain is TLS's to check; what is
/// believed of the client is the authority's statement alone. UNAUTHENTICATED: no statement, a foreign or expired one,
/// another cluster's, one of another key than the leaf's, or a key that was revoked. PERMISSION_DENIED: no client's.
/// A certificate that another took the place of, as when grants change, still names its client.
Result<TlsClient> verify_client_leaf(BytesView leaf, const ClientLeafTrust& trust);

} // namespace tcfdl::wire
