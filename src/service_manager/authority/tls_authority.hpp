// The authority as the root of TLS: docs/decisions/0009-tls-names-and-root.md.
#pragma once

#include "base/clock.hpp"
#include "crypto/tls_certificate.hpp"

namespace tcfdl::service_manager::authority {

/// Certifies keys with the authority's own key, which the enrolment token pins. Thread-safe; key and clock outlive it.
class TlsAuthority {
public:
  TlsAuthority(const crypto::SigningKey& key, const Clock& clock);

  /// What everybody trusts: self-signed by the authority's key, for names below `tcfdl.internal`.
  [[nodiscard]] const crypto::Certificate& root() const noexcept { return root_; }

  /// A certificate for servers and clients. INVALID_ARGUMENT for no or bad names and an end that has passed.
  Result<crypto::Certificate> issue(const crypto::VerifyKey& key, std::vector<std::string> names,
                                    UnixSeconds expires) const;

private:
  const crypto::SigningKey& key_;
  const Clock& clock_;
  const crypto::Certificate root_;
};

} // namespace tcfdl::service_manager::authority
