#include "service_manager/service.hpp"

#include "wire/server_names.hpp"

namespace tcfdl::service_manager {
namespace {

constexpr std::string_view kLabel = "Request";

} // namespace

std::array<std::uint8_t, 8> request_time(std::int64_t time) {
  std::array<std::uint8_t, 8> bytes{};
  for (unsigned i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(time) >> (56U - 8U * i));
  return bytes;
}

wire::AuthenticatedRequest make_request(const crypto::SigningKey& master, const wire::Signed& certificate,
                                        UnixSeconds now, BytesView body) {
  wire::AuthenticatedRequest request;
  *request.mutable_certificate() = certificate;
  request.set_time(now);
  request.set_body(wire::field(body));
  request.set_signature(wire::field(wire::sign_labelled(master, kLabel, {request_time(now), body})));
  return request;
}

Result<OpenedRequest> open_request(const crypto::VerifyKey& authority, BytesView request,
                                   std::initializer_list<wire::Role> roles, UnixSeconds now) {
  TCFDL_ASSIGN(const auto unverified, wire::parse<wire::AuthenticatedRequest>(request));
  TCFDL_ASSIGN(auto certificate, wire::verify_renewable(authority, unverified.certificate(), roles, now));
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(certificate.verify_key())));
  TCFDL_TRY(wire::verify_labelled(key, kLabel, {request_time(unverified.time()), as_bytes(unverified.body())},
                                  as_bytes(unverified.signature())));
  if (unverified.time() > now + kRequestWindow || unverified.time() < now - kRequestWindow) {
    return make_error(Code::kUnauthenticated,
                      "the request of {} is of {} seconds since 1970, it is {} here; check both clocks",
                      certificate.subject(), unverified.time(), now);
  }
  return OpenedRequest{.certificate = std::move(certificate),
                       .signed_certificate = unverified.certificate(),
                       .body = to_bytes(unverified.body()),
                       .signature = to_bytes(unverified.signature())};
}

Result<Service::Master> Service::authenticate(BytesView request) {
  TCFDL_ASSIGN(auto master, open_request(authority_.public_key(), request, {wire::ROLE_MASTER}, clock_.now()));
  TCFDL_TRY(authority_.check_enrolled(master.certificate));
  return master;
}

Result<Bytes> Service::handle_authority(BytesView request) {
  TCFDL_ASSIGN(const auto master, authenticate(request));
  TCFDL_ASSIGN(const auto body, wire::parse<wire::AuthorityRequest>(master.body));
  TCFDL_ASSIGN(const auto reply, answer(master, body));
  return wire::serialize(reply);
}

Result<Bytes> Service::handle_registry(BytesView request) {
  TCFDL_ASSIGN(const auto master, authenticate(request));
  TCFDL_ASSIGN(const auto body, wire::parse<wire::RegistryRequest>(master.body));
  TCFDL_ASSIGN(const auto reply, answer(master, body));
  return wire::serialize(reply);
}

Result<Bytes> Service::handle_credential(BytesView request) {
  TCFDL_ASSIGN(const auto master, authenticate(request));
  TCFDL_ASSIGN(const auto body, wire::parse<collaboration::CredentialRequest>(master.body));
  TCFDL_ASSIGN(const auto reply, answer(master, body));
  return wire::serialize(reply);
}

Result<collaboration::CredentialReply> Service::own_credential(const Master& master,
                                                               const collaboration::CredentialRequest& request) {
  const auto& cluster = master.certificate.cluster();
  collaboration::CredentialReply reply;
  TCFDL_ASSIGN(*reply.mutable_credential(), nats_.master_user(cluster, request.user_key()));
  TCFDL_ASSIGN(*reply.mutable_account(), nats_.cluster_account(cluster, request.own().signing_key()));
  if (request.own().tls_key().empty()) return reply;
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(request.own().tls_key())));
  // The names are of who asks, never of what he asks for.
  TCFDL_ASSIGN(const auto certificate,
               tls_.issue(key,
                          {wire::cluster_server(cluster), wire::node_server(master.certificate.subject(), cluster)},
                          reply.credential().expires()));
  reply.set_tls_certificate(wire::field(certificate.der()));
  return reply;
}

Result<collaboration::CredentialReply> Service::answer(const Master& master,
                                                       const collaboration::CredentialRequest& request) {
  const auto& cluster = master.certificate.cluster();
  collaboration::CredentialReply reply;
  switch (request.kind_case()) {
  case collaboration::CredentialRequest::kOwn: return own_credential(master, request);
  case collaboration::CredentialRequest::kLink: {
    TCFDL_ASSIGN(*reply.mutable_credential(), nats_.link_user(request.link().cluster(), cluster, request.user_key()));
    return reply;
  }
  case collaboration::CredentialRequest::kRevoke: {
    TCFDL_TRY(replays_.admit(master.signature, clock_.now()));
    wire::Revoke certificates;
    certificates.set_node(request.revoke().node());
    auto revoked = authority_.revoke(certificates, cluster);
    if (!revoked && revoked.error().code() == Code::kNotFound) {
      revoked = authority_.remove_subject(cluster, request.revoke().node()); // its certificates have expired
    }
    if (!revoked && revoked.error().code() != Code::kNotFound) return revoked.error(); // done before
    TCFDL_TRY(nats_.revoke(cluster, request.user_key()));
    return reply;
  }
  case collaboration::CredentialRequest::kAttestationResult: {
    const auto& wanted = request.attestation_result();
    TCFDL_ASSIGN(const auto certificate, wire::parse<wire::Signed>(wanted.certificate()));
    TCFDL_ASSIGN(*reply.mutable_attestation_result(),
                 authority_.attestation_result(certificate, as_bytes(wanted.nonce()), cluster));
    return reply;
  }
  case collaboration::CredentialRequest::KIND_NOT_SET: break;
  }
  return Error(Code::kUnimplemented, "the service manager issues no such credential; a newer program asked for it");
}

Result<Bytes> Service::handle_enrolment(BytesView request) {
  TCFDL_ASSIGN(const auto body, wire::parse<wire::AuthorityRequest>(request));
  if (!body.has_enrol()) return Error(Code::kUnauthenticated, "only enrolment is open to who has no certificate");
  wire::AuthorityReply reply;
  TCFDL_ASSIGN(*reply.mutable_enrol(), authority_.enrol(body.enrol()));
  return wire::serialize(reply);
}

Result<wire::CreateTokenReply> Service::create_token(const Master& master, wire::CreateToken request) {
  const auto& cluster = master.certificate.cluster();
  if (request.cluster().empty()) request.set_cluster(cluster);
  if (request.cluster() != cluster) {
    return make_error(Code::kPermissionDenied, "a master of cluster {} makes no tokens for {}", cluster,
                      request.cluster());
  }
  if (request.role() != wire::ROLE_WORKER && request.role() != wire::ROLE_CLIENT) {
    return Error(Code::kPermissionDenied,
                 "a master makes tokens for workers and clients; others are made at the service manager");
  }
  TCFDL_TRY(replays_.admit(master.signature, clock_.now()));
  return authority_.create_token(request);
}

Result<wire::AuthorityReply> Service::instance_keys(const wire::InstanceKeysRequest& request,
                                                    const std::string& cluster) {
  wire::AuthorityReply reply;
  auto& keys = *reply.mutable_instance_keys();
  TCFDL_ASSIGN(keys, authority_.instance_keys(request, cluster));
  TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(keys.descriptor().statement()));
  const bool serves_in_tls = !keys.has_descriptor() || descriptor.direct_tls(); // gateways do
  if (!serves_in_tls) return reply;
  TCFDL_ASSIGN(const auto chain, tls_.chain_of(keys.certificate()));
  for (const auto& certificate : chain) keys.add_tls_chain(wire::field(certificate.der()));
  return reply;
}

Result<wire::AuthorityReply> Service::renew_certificate(const std::string& client, const std::string& cluster) {
  wire::AuthorityReply reply;
  TCFDL_ASSIGN(*reply.mutable_certificate(), authority_.renew_certificate(client, cluster));
  TCFDL_ASSIGN(const auto chain, tls_.chain_of(reply.certificate()));
  for (const auto& certificate : chain) reply.add_tls_chain(wire::field(certificate.der()));
  return reply;
}

Result<wire::AuthorityReply> Service::answer(const Master& master, const wire::AuthorityRequest& request) {
  const auto& cluster = master.certificate.cluster();
  wire::AuthorityReply reply;
  switch (request.kind_case()) {
  case wire::AuthorityRequest::kEnrol: {
    TCFDL_ASSIGN(*reply.mutable_enrol(), authority_.enrol(request.enrol()));
    return reply;
  }
  case wire::AuthorityRequest::kInstanceKeys: return instance_keys(request.instance_keys(), cluster);
  case wire::AuthorityRequest::kSenderKeys: {
    TCFDL_ASSIGN(*reply.mutable_sender_keys(), authority_.sender_keys(request.sender_keys(), cluster));
    return reply;
  }
  case wire::AuthorityRequest::kReceiverKeys: {
    TCFDL_ASSIGN(*reply.mutable_receiver_keys(), authority_.receiver_keys(request.receiver_keys(), cluster));
    return reply;
  }
  case wire::AuthorityRequest::kCreateToken: {
    TCFDL_ASSIGN(*reply.mutable_create_token(), create_token(master, request.create_token()));
    return reply;
  }
  case wire::AuthorityRequest::kRotateKey: {
    TCFDL_TRY(replays_.admit(master.signature, clock_.now()));
    TCFDL_ASSIGN(*reply.mutable_rotated(), authority_.rotate_key(request.rotate_key(), cluster));
    return reply;
  }
  case wire::AuthorityRequest::kRevoke: {
    TCFDL_TRY(replays_.admit(master.signature, clock_.now()));
    TCFDL_TRY(authority_.revoke(request.revoke(), cluster));
    return reply;
  }
  case wire::AuthorityRequest::kRevocations: {
    TCFDL_ASSIGN(const auto number, authority_.revocation_number());
    if (number <= request.revocations().known()) return reply;
    TCFDL_ASSIGN(*reply.mutable_revocations(), authority_.revocations());
    return reply;
  }
  case wire::AuthorityRequest::kChangeGrants: {
    TCFDL_TRY(replays_.admit(master.signature, clock_.now()));
    TCFDL_ASSIGN(*reply.mutable_clients()->add_clients(), authority_.change_grants(request.change_grants(), cluster));
    return reply;
  }
  case wire::AuthorityRequest::kListClients: {
    TCFDL_ASSIGN(*reply.mutable_clients(), authority_.clients(cluster));
    return reply;
  }
  case wire::AuthorityRequest::kRenewCertificate:
    return renew_certificate(request.renew_certificate().client(), cluster);
  case wire::AuthorityRequest::kRenewNode: {
    TCFDL_ASSIGN(*reply.mutable_enrol(), authority_.renew_node(request.renew_node(), cluster));
    return reply;
  }
  case wire::AuthorityRequest::kSealKey: {
    *reply.mutable_seal_key() = authority_.signed_seal_key();
    return reply;
  }
  case wire::AuthorityRequest::KIND_NOT_SET: break;
  }
  return Error(Code::kUnimplemented, "the authority does not know this request; a newer program sent it");
}

/// A key that the owner did not give stops the registration; a registration that is refused keeps no key.
Status Service::register_function(const std::string& cluster, const wire::RegistryRequest& request) {
  const auto& descriptor = request.register_function();
  if (!request.has_content_key()) return registry_.register_function(cluster, descriptor);
  TCFDL_ASSIGN(const auto key, authority_.open_content_key(request.content_key(), descriptor));
  TCFDL_TRY(registry_.register_function(cluster, descriptor));
  return authority_.keep_content_key(descriptor, key);
}

/// As `register_function`. Gives whether it is staged; false: it is in force.
Result<bool> Service::stage_function(const std::string& cluster, const wire::RegistryRequest& request) {
  const auto& descriptor = request.stage_function();
  if (!request.has_content_key()) return registry_.stage_function(cluster, descriptor);
  TCFDL_ASSIGN(const auto key, authority_.open_content_key(request.content_key(), descriptor));
  TCFDL_ASSIGN(const auto staged, registry_.stage_function(cluster, descriptor));
  TCFDL_TRY(authority_.keep_content_key(descriptor, key));
  return staged;
}

Result<wire::RegistryReply> Service::answer(const Master& master, const wire::RegistryRequest& request) {
  const auto& cluster = master.certificate.cluster();
  wire::RegistryReply reply;
  switch (request.kind_case()) {
  case wire::RegistryRequest::kRenew: {
    TCFDL_ASSIGN(*reply.mutable_renewed(), registry_.renew(master.signed_certificate, request.renew()));
    return reply;
  }
  case wire::RegistryRequest::kRegisterFunction: {
    TCFDL_TRY(register_function(cluster, request));
    return reply;
  }
  case wire::RegistryRequest::kUnregisterFunction: {
    TCFDL_TRY(registry_.unregister_function(cluster, request.unregister_function()));
    return reply;
  }
  case wire::RegistryRequest::kInquire: {
    TCFDL_ASSIGN(*reply.mutable_inquired(), registry_.inquire(request.inquire()));
    return reply;
  }
  case wire::RegistryRequest::kStageFunction: {
    TCFDL_ASSIGN(const auto staged, stage_function(cluster, request));
    reply.set_in_force(!staged);
    return reply;
  }
  case wire::RegistryRequest::kWithdrawFunction: {
    TCFDL_TRY(registry_.withdraw_function(cluster, request.withdraw_function()));
    return reply;
  }
  case wire::RegistryRequest::KIND_NOT_SET: break;
  }
  return Error(Code::kUnimplemented, "the registry does not know this request; a newer program sent it");
}

} // namespace tcfdl::service_manager
