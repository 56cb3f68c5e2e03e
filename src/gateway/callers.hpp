// Those who call over HTTP by a client's certificate: who they are, and what each may call.
#pragma once

#include "base/clock.hpp"
#include "base/deadline.hpp"
#include "http/server.hpp"
#include "wire/client_leaf.hpp"
#include "wire/held_certificate.hpp"

#include <map>

namespace tcfdl::gateway {

/// Asks the cluster what took the place of a client's certificate: unverified, empty for none.
using AskNewest = std::function<Result<wire::Signed>(const wire::Signed& certificate, Deadline deadline)>;

/// What a gateway believes; all outlive the callers.
struct CallersTrust {
  const crypto::VerifyKey& authority;
  const std::string& cluster;
  const wire::Revocations& revocations;
  const Clock& clock;
};

/// Grants count as the authority states them now: they change while a client's TLS certificate stays as it is. Nothing
/// is believed of the cluster's master but what the authority signed. Thread-safe.
class Callers {
public:
  Callers(const CallersTrust& trust, AskNewest ask_newest) : trust_(trust), ask_newest_(std::move(ask_newest)) {}

  /// Who shows that TLS certificate. Does not block. Errors of `wire::verify_client_leaf`.
  [[nodiscard]] Result<http::Caller> identify(BytesView leaf) const;

  /// Whether who asks may call the function: with a client's certificate, what its grants of now name; with the
  /// gateway's own token, everything. PERMISSION_DENIED; UNAUTHENTICATED since revoked; errors of the cluster where a
  /// certificate was replaced and its successor cannot be had.
  Status check_call(const http::Request& request, const std::string& function);

private:
  [[nodiscard]] Result<wire::TlsClient> verify(BytesView leaf) const;
  Result<wire::Certificate> of_now(const wire::TlsClient& client);

  const CallersTrust trust_;
  const AskNewest ask_newest_;
  Guarded<std::map<std::string, wire::HeldCertificate>> newest_; ///< of those that were replaced, by verify key
};

} // namespace tcfdl::gateway
