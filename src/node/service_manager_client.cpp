#include "node/service_manager_client.hpp"

#include "collaboration/subjects.hpp"
#include "service_manager/service.hpp"

namespace tcfdl::node {

Result<Bytes> ServiceManagerClient::authority(BytesView request, Deadline deadline) {
  return send(collaboration::authority_subject(cluster_), request, deadline);
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
  const auto request = service_manager::make_request(signing_, certificate_, clock_.now(), body);
  auto reply = bus_.request(subject, wire::serialize(request), deadline);
  if (reply || reply.error().code() != Code::kUnavailable) return reply;
  return reply.error().within("the service manager cannot be reached");
}

} // namespace tcfdl::node
