// The service manager's face: bytes in, bytes out, over whatever carries them.
#pragma once

#include "service_manager/authority/authority.hpp"
#include "service_manager/authority/nats_operator.hpp"
#include "service_manager/replay_guard.hpp"

namespace tcfdl::service_manager {

/// How far a request's time may be from ours, seconds.
constexpr std::int64_t kRequestWindow = 300;

/// The bytes that a master signs for an AuthenticatedRequest: time (8 bytes, big endian), before the body. Label
/// 'Request'.
std::array<std::uint8_t, 8> request_time(std::int64_t time);

/// Makes an AuthenticatedRequest of a serialised AuthorityRequest or RegistryRequest.
wire::AuthenticatedRequest make_request(const crypto::SigningKey& master, const wire::Signed& certificate,
                                        UnixSeconds now, BytesView body);

/// Who sent an AuthenticatedRequest, and what.
struct OpenedRequest {
  wire::Certificate certificate;
  wire::Signed signed_certificate;
  Bytes body;
  Bytes signature;
};

/// Checks certificate, signature and time. UNAUTHENTICATED, or PERMISSION_DENIED for another role; whether the subject
/// is still enrolled is not asked.
Result<OpenedRequest> open_request(const crypto::VerifyKey& authority, BytesView request,
                                   std::initializer_list<wire::Role> roles, UnixSeconds now);

/// Checks who asks, then dispatches. Requests with an error leave no trace. Any thread; authority, registry, NATS
/// operator and clock outlive it.
class Service {
public:
  Service(Authority& authority, Registry& registry, authority::NatsOperator& nats, const Clock& clock)
      : authority_(authority), registry_(registry), nats_(nats), clock_(clock), tls_(authority.tls()) {}

  /// Who certifies servers.
  [[nodiscard]] const authority::TlsAuthority& tls() const noexcept { return tls_; }

  /// An AuthenticatedRequest of a master around an AuthorityRequest; gives an AuthorityReply. Masters make tokens for
  /// workers and clients of their own cluster only.
  Result<Bytes> handle_authority(BytesView request);

  /// An AuthenticatedRequest of a master around a RegistryRequest; gives a RegistryReply.
  Result<Bytes> handle_registry(BytesView request);

  /// An AuthenticatedRequest of a master around a CredentialRequest; gives a CredentialReply: the master's own user
  /// here with its cluster's account and the certificate of its servers, a user at another cluster's server, an
  /// attestation result, or nothing
  /// for a revocation.
  Result<Bytes> handle_credential(BytesView request);

  /// A bare AuthorityRequest that enrols, since who enrols has no certificate yet; the token authenticates it.
  Result<Bytes> handle_enrolment(BytesView request);

private:
  using Master = OpenedRequest;
  Result<Master> authenticate(BytesView request);
  Result<wire::CreateTokenReply> create_token(const Master& master, wire::CreateToken request);
  Result<wire::AuthorityReply> answer(const Master& master, const wire::AuthorityRequest& request);
  // What they certify comes with its chain for TLS.
  Result<wire::AuthorityReply> instance_keys(const wire::InstanceKeysRequest& request, const std::string& cluster);
  Result<wire::AuthorityReply> renew_certificate(const std::string& client, const std::string& cluster);
  Result<collaboration::CredentialReply> answer(const Master& master, const collaboration::CredentialRequest& request);
  Result<collaboration::CredentialReply> own_credential(const Master& master,
                                                        const collaboration::CredentialRequest& request);
  Status register_function(const std::string& cluster, const wire::RegistryRequest& request);
  Result<bool> stage_function(const std::string& cluster, const wire::RegistryRequest& request);
  Result<wire::RegistryReply> answer(const Master& master, const wire::RegistryRequest& request);

  Authority& authority_;
  Registry& registry_;
  authority::NatsOperator& nats_;
  const Clock& clock_;
  const authority::TlsAuthority tls_;
  ReplayGuard replays_{2 * kRequestWindow};
};

} // namespace tcfdl::service_manager
