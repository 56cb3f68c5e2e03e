// The certificates of the cluster's clients: replaced before they end, and when their grants have changed.
#pragma once

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "wire/revocations.hpp"

#include <functional>
#include <map>
#include <optional>

namespace tcfdl::node {

/// Asks the authority for a client's next certificate; its answer to RenewCertificate.
using RenewCertificate = std::function<Result<wire::AuthorityReply>(const std::string& client)>;

/// Thread-safe; what is referred to outlives it.
class ClientCertificates {
public:
  ClientCertificates(RenewCertificate renew, const crypto::VerifyKey& authority, const wire::Revocations& revocations,
                     const Clock& clock)
      : renew_(std::move(renew)), authority_(authority), revocations_(revocations), clock_(clock) {}

  struct Newer {
    wire::Signed certificate;
    wire::Certificate parsed;
    std::vector<std::string> tls_chain; ///< the same in X.509, DER, then the root; unverified
  };

  /// What takes the place of a verified certificate of a client: none while that is in the first half of its life and
  /// on no list. Asked for once and then kept. UNAUTHENTICATED for a key that is revoked; errors of the authority,
  /// unless the present certificate serves on.
  Result<std::optional<Newer>> newer_than(const wire::Certificate& present);

  /// Of the client whose certificate that is: the one of now, with its chain for TLS. The same errors, and those of
  /// `wire::verify_certificate`.
  Result<Newer> current(const wire::Signed& unverified);

private:
  [[nodiscard]] bool is_fresh(const wire::Certificate& certificate) const;
  Result<Newer> kept_or_renewed(const wire::Certificate& present);
  Result<Newer> renew(const wire::Certificate& present);

  const RenewCertificate renew_;
  const crypto::VerifyKey& authority_;
  const wire::Revocations& revocations_;
  const Clock& clock_;
  Guarded<std::map<std::string, Newer>> kept_; ///< by client
};

} // namespace tcfdl::node
