// An instance as a server in TLS: with its own key and the certificate that the authority gives to attested instances.
#pragma once

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "crypto/tls_session.hpp"
#include "sdk/identity.hpp"

#include <memory>

namespace tcfdl::sdk {

/// X.509 in DER for the identity's key as a server: the leaf and the authority's root, as they came: unverified.
using TlsChain = std::vector<Bytes>;

TlsChain chain_of(const wire::ProxyAttached& attached);

/// Thread-safe; the identity outlives it.
class InstanceTls {
public:
  /// Shows the first of `chain`, which is checked: the root is of the authority's key, the leaf of that root, of the
  /// identity's key, in force and for this instance of `cluster`. UNAUTHENTICATED names what is not so,
  /// FAILED_PRECONDITION for no chain.
  static Result<std::shared_ptr<InstanceTls>> make(const Identity& identity, const std::string& cluster,
                                                   const TlsChain& chain, const Clock& clock);

  /// The next chain in place of the present one. After an error the present one stays.
  Status replace(const TlsChain& chain);
  [[nodiscard]] crypto::TlsContext context() const {
    return context_.with([](const crypto::TlsContext& context) { return context; });
  }

private:
  InstanceTls(const Identity& identity, std::string cluster, const Clock& clock, crypto::TlsContext context)
      : identity_(identity), cluster_(std::move(cluster)), clock_(clock), context_(std::move(context)) {}

  const Identity& identity_;
  const std::string cluster_;
  const Clock& clock_;
  Guarded<crypto::TlsContext> context_;
};

/// What a caller trusts who talks to instances in TLS: `root`, DER from outside, if it is of the authority's key.
/// UNAUTHENTICATED otherwise.
Result<crypto::TlsContext> trust_instances(BytesView root, const Identity& identity, UnixSeconds now);

} // namespace tcfdl::sdk
