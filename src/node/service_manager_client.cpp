#include "node/service_manager_client.hpp"

#include "attestation/result_token.hpp"
#include "collaboration/subjects.hpp"
#include "service_manager/service.hpp"

namespace tcfdl::node {
namespace {

/// Certificates, and results.
constexpr std::size_t kMostKept = 4096;

} // namespace

Result<Bytes> ServiceManagerClient::authority(BytesView request, Deadline deadline) {
  auto reply = send(collaboration::authority_subject(cluster_), request, deadline);
  if (reply) remember(*reply);
  return reply;
}

void ServiceManagerClient::remember(BytesView authority_reply) {
  const auto reply = wire::parse<wire::AuthorityReply>(authority_reply);
  if (!reply || !reply->has_instance_keys()) return;
  const auto& certificate = reply->instance_keys().certificate();
  const auto parsed = wire::parse<wire::Certificate>(certificate.statement());
  if (!parsed) return;
  certified_.with([&](auto& known) {
    if (known.size() >= kMostKept) known.erase(known.begin());
    known[parsed->subject()] = certificate;
  });
}

std::optional<wire::Signed> ServiceManagerClient::certified(const std::string& subject) const {
  return certified_.with([&](const auto& known) -> std::optional<wire::Signed> {
    const auto found = known.find(subject);
    if (found == known.end()) return std::nullopt;
    return found->second;
  });
}

Result<std::string> ServiceManagerClient::attestation_result(const wire::Signed& certificate, BytesView nonce,
                                                             Deadline deadline) {
  collaboration::CredentialRequest request;
  request.mutable_attestation_result()->set_certificate(wire::field(wire::serialize(certificate)));
  request.mutable_attestation_result()->set_nonce(wire::field(nonce));
  const auto reply = credential(request, deadline);
  if (reply) {
    if (nonce.empty()) keep_result(certificate, reply->attestation_result());
    return reply->attestation_result();
  }
  if (nonce.empty() && reply.error().unanswered()) {
    if (auto kept = kept_result(certificate)) return *std::move(kept);
  }
  return reply.error();
}

void ServiceManagerClient::keep_result(const wire::Signed& certificate, const std::string& token) {
  const auto now = clock_.now();
  results_.with([&](auto& kept) {
    std::erase_if(kept, [&](const auto& entry) { return entry.second.until <= now; });
    if (kept.size() >= kMostKept) kept.erase(kept.begin());
    kept[certificate.statement()] = {.token = token, .until = now + attestation::kResultLifetime};
  });
}

std::optional<std::string> ServiceManagerClient::kept_result(const wire::Signed& certificate) const {
  return results_.with([&](const auto& kept) -> std::optional<std::string> {
    const auto found = kept.find(certificate.statement());
    if (found == kept.end() || found->second.until <= clock_.now()) return std::nullopt;
    return found->second.token;
  });
}

Result<wire::AuthorityReply> ServiceManagerClient::ask(const wire::AuthorityRequest& request, Deadline deadline) {
  TCFDL_ASSIGN(const auto reply, authority(wire::serialize(request), deadline));
  return wire::parse<wire::AuthorityReply>(reply);
}

Result<wire::RegistryReply> ServiceManagerClient::registry(const wire::RegistryRequest& request, Deadline deadline) {
  TCFDL_ASSIGN(const auto reply, send(collaboration::registry_subject(cluster_), wire::serialize(request), deadline));
  return wire::parse<wire::RegistryReply>(reply);
}

Result<wire::Inquired> ServiceManagerClient::inquire(const wire::Inquire& request, Deadline deadline) {
  wire::RegistryRequest message;
  *message.mutable_inquire() = request;
  TCFDL_ASSIGN(auto reply, registry(message, deadline));
  return std::move(*reply.mutable_inquired());
}

Result<collaboration::CredentialReply> ServiceManagerClient::credential(const collaboration::CredentialRequest& request,
                                                                        Deadline deadline) {
  TCFDL_ASSIGN(const auto reply, send(collaboration::credential_subject(cluster_), wire::serialize(request), deadline));
  return wire::parse<collaboration::CredentialReply>(reply);
}

Result<collaboration::Credential>
ServiceManagerClient::link_credential(const std::string& cluster, const std::string& user_key, Deadline deadline) {
  collaboration::CredentialRequest request;
  request.set_user_key(user_key);
  request.mutable_link()->set_cluster(cluster);
  TCFDL_ASSIGN(auto reply, credential(request, deadline));
  return std::move(*reply.mutable_credential());
}

Result<Bytes> ServiceManagerClient::send(const std::string& subject, BytesView body, Deadline deadline) {
  const auto request = service_manager::make_request(signing_, certificate_.get(), clock_.now(), body);
  auto reply = bus_.request(subject, wire::serialize(request), deadline);
  if (reply || reply.error().code() != Code::kUnavailable) return reply;
  return reply.error().within("the service manager cannot be reached");
}

} // namespace tcfdl::node
