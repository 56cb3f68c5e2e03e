// The service manager as a master sees it: signed requests over its message queue.
#pragma once

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "collaboration/ports.hpp"
#include "crypto/signature.hpp"
#include "message_queue/bus.hpp"
#include "wire/held_certificate.hpp"

#include <map>
#include <optional>

namespace tcfdl::node {

/// Thread-safe. UNAVAILABLE while the service manager cannot be reached.
class ServiceManagerClient final : public collaboration::Registry {
public:
  /// References outlive the client; `certificate` is the master's of `cluster`.
  ServiceManagerClient(message_queue::Bus& bus, std::string cluster, const crypto::SigningKey& signing,
                       wire::HeldCertificate certificate, const Clock& clock)
      : bus_(bus), cluster_(std::move(cluster)), signing_(signing), certificate_(std::move(certificate)),
        clock_(clock) {}

  /// Passes an AuthorityRequest on, as it is, under the master's signature; gives the AuthorityReply.
  Result<Bytes> authority(BytesView request, Deadline deadline);
  Result<wire::AuthorityReply> ask(const wire::AuthorityRequest& request, Deadline deadline);
  Result<wire::RegistryReply> registry(const wire::RegistryRequest& request, Deadline deadline);
  Result<collaboration::CredentialReply> credential(const collaboration::CredentialRequest& request, Deadline deadline);
  Result<collaboration::Credential> link_credential(const std::string& cluster, const std::string& user_key,
                                                    Deadline deadline) override;
  /// The attestation result of a certificate of the cluster, a JWT. The nonce has 8 to 64 bytes or none. While the
  /// service manager is out of reach, the last one without a nonce, as long as it holds.
  Result<std::string> attestation_result(const wire::Signed& certificate, BytesView nonce, Deadline deadline);
  /// The certificate of an instance or gateway that this client passed on lately; nullopt for others.
  [[nodiscard]] std::optional<wire::Signed> certified(const std::string& subject) const;
  Result<wire::Inquired> inquire(const wire::Inquire& request, Deadline deadline) override;

private:
  struct KeptResult {
    std::string token;
    UnixSeconds until = 0;
  };
  void remember(BytesView authority_reply);
  void keep_result(const wire::Signed& certificate, const std::string& token);
  [[nodiscard]] std::optional<std::string> kept_result(const wire::Signed& certificate) const;
  Result<Bytes> send(const std::string& subject, BytesView body, Deadline deadline);

  message_queue::Bus& bus_;
  const std::string cluster_;
  const crypto::SigningKey& signing_;
  const wire::HeldCertificate certificate_;
  const Clock& clock_;
  Guarded<std::map<std::string, wire::Signed>> certified_; // by subject
  Guarded<std::map<std::string, KeptResult>> results_;     // by the certificate's statement
};

} // namespace tcfdl::node
