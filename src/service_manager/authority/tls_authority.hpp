// The authority as the root of TLS: docs/decisions/0009-tls-root-and-names.md.
#pragma once

#include "base/clock.hpp"
#include "crypto/tls_certificate.hpp"
#include "wire/messages.hpp"

namespace tcfdl::service_manager::authority {

/// Certifies keys with the authority's own key, which the enrolment token pins. Thread-safe; key and clock outlive it.
class TlsAuthority {
public:
  TlsAuthority(const crypto::SigningKey& key, const Clock& clock);

  /// What everybody trusts: self-signed by the authority's key, for names below `tcfdl.internal`.
  [[nodiscard]] const crypto::Certificate& root() const noexcept { return root_; }

  /// A certificate for servers and clients. INVALID_ARGUMENT for no or bad names and an end that has passed.
  Result<crypto::Certificate> issue(const crypto::VerifyKey& key, std::vector<std::string> names,
                                    UnixSeconds expires) const {
    return issue(key, std::move(names), expires, {});
  }

  /// A certificate that the authority has signed just now, in X.509: the leaf for the same key and time, then the root.
  /// Of a client it carries the certificate itself; of a gateway it is for the gateway's name; none for other roles.
  Result<std::vector<crypto::Certificate>> chain_of(const wire::Signed& certificate) const;

private:
  Result<crypto::Certificate> issue(const crypto::VerifyKey& key, std::vector<std::string> names, UnixSeconds expires,
                                    Bytes client_statement) const;

  const crypto::SigningKey& key_;
  const Clock& clock_;
  const crypto::Certificate root_;
};

} // namespace tcfdl::service_manager::authority
