// Enrolment of nodes with their proxies, and of clients.
#include "service_manager/authority/authority.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/operations.pb.h"

namespace tcfdl::service_manager {
namespace {

constexpr std::size_t kLongestSecret = 256;
constexpr std::size_t kShortestNonce = 16;
constexpr std::size_t kLongestNonce = 64;

bool is_node(wire::Role role) { return role == wire::ROLE_MASTER || role == wire::ROLE_WORKER; }

Status check_key(const std::string& bytes, std::string_view what) {
  const auto point = crypto::Point::from_bytes(as_bytes(bytes));
  return point ? Status() : point.error().within(what);
}

/// The subject holds the key that it wants certified, and means this token and seal key.
Status check_possession(const wire::EnrolRequest& request) {
  TCFDL_TRY(check_key(request.verify_key(), "verify_key"));
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(request.verify_key())));
  const auto checked = wire::verify_labelled(
      key, "Enrol", {as_bytes(request.token_secret()), as_bytes(request.verify_key()), as_bytes(request.seal_key())},
      as_bytes(request.possession()));
  return checked ? Status() : checked.error().within("possession");
}

Status check_keys(const wire::EnrolRequest& request) {
  if (!is_node(request.role())) return check_key(request.seal_key(), "seal_key");
  if (!request.seal_key().empty()) return Error(Code::kInvalidArgument, "seal_key: nodes have none, their proxies do");
  if (!request.has_proxy()) return Error(Code::kInvalidArgument, "proxy: a node enrols together with its proxy");
  if (!request.platform_key().empty()) TCFDL_TRY(check_key(request.platform_key(), "platform_key")); // software has one
  TCFDL_TRY(check_key(request.proxy().verify_key(), "proxy.verify_key"));
  TCFDL_TRY(check_key(request.proxy().seal_key(), "proxy.seal_key"));
  const auto nonce = request.proxy().nonce().size();
  if (nonce >= kShortestNonce && nonce <= kLongestNonce) return {};
  return make_error(Code::kInvalidArgument, "proxy.nonce: {} bytes; {} to {} are allowed", nonce, kShortestNonce,
                    kLongestNonce);
}

crypto::Sha256Digest hash_of_token(const wire::EnrolRequest& request) {
  return crypto::sha256(as_bytes(request.token_secret()));
}

Enrolled operation_of(const wire::EnrolRequest& request, const std::string& cluster) {
  Enrolled enrolled;
  enrolled.set_token_hash(wire::field(hash_of_token(request)));
  enrolled.set_cluster(cluster);
  enrolled.set_name(request.name());
  enrolled.set_role(request.role());
  enrolled.set_verify_key(request.verify_key());
  enrolled.set_seal_key(request.seal_key());
  if (!is_node(request.role())) return enrolled;
  enrolled.set_platform_key(request.platform_key());
  enrolled.set_proxy_verify_key(request.proxy().verify_key());
  enrolled.set_proxy_seal_key(request.proxy().seal_key());
  *enrolled.mutable_evidence() = request.proxy().evidence();
  return enrolled;
}

} // namespace

Result<wire::EnrolReply> Authority::enrol(const wire::EnrolRequest& request) {
  if (request.token_secret().size() > kLongestSecret) return Error(Code::kInvalidArgument, "token_secret is too long");
  TCFDL_ASSIGN(const auto token, authority::usable_token(parts_.database, hash_of_token(request), parts_.clock.now()));
  if (token.role != request.role()) {
    return make_error(Code::kPermissionDenied, "the token is for {}, the request for {}", wire::Role_Name(token.role),
                      wire::Role_Name(request.role()));
  }
  TCFDL_TRY(check_label(request.name(), "name"));
  TCFDL_TRY(check_possession(request));
  TCFDL_TRY(check_keys(request));
  for (const auto* key : {&request.verify_key(), &request.proxy().verify_key()})
    TCFDL_TRY(authority::check_not_revoked(parts_.database, 0, as_bytes(*key), request.name()));
  Judged judged;
  if (is_node(request.role())) {
    TCFDL_ASSIGN(judged, judge_proxy(request));
  }
  TCFDL_TRY(parts_.log.append(operation_of(request, token.cluster)));
  if (is_node(request.role())) return certify_node(request, token.cluster, judged);
  wire::EnrolReply reply;
  TCFDL_ASSIGN(*reply.mutable_certificate(), renew_certificate(request.name(), token.cluster));
  reply.set_authority_key(wire::field(public_key().bytes()));
  return reply;
}

Result<wire::EnrolReply> Authority::renew_node(const wire::RenewNode& request, const std::string& cluster) {
  TCFDL_TRY(check_label(request.node(), "node"));
  TCFDL_ASSIGN(const auto present, wire::verify_renewable(public_key(), request.proxy_certificate(), {wire::ROLE_PROXY},
                                                          parts_.clock.now()));
  TCFDL_TRY(check_enrolled(present));
  if (present.node() != request.node() || present.cluster() != cluster) {
    return make_error(Code::kUnauthenticated, "the certificate is of {} of cluster {}, not of the proxy of {}",
                      present.subject(), present.cluster(), request.node());
  }
  TCFDL_ASSIGN(const auto node, authority::find_subject(parts_.database, cluster, request.node()));
  if (!node) return make_error(Code::kNotFound, "no node is enrolled as {} in cluster {}", request.node(), cluster);
  if (as_text(node->proxy_verify_key) != request.proxy().verify_key() ||
      as_text(node->proxy_seal_key) != request.proxy().seal_key()) {
    return make_error(Code::kPermissionDenied,
                      "the evidence is of other keys than the proxy of {} enrolled with; enrol the node anew",
                      request.node());
  }
  if (request.proxy().nonce() != wire::field(crypto::sha256(as_bytes(request.proxy_certificate().statement())))) {
    return Error(Code::kPermissionDenied,
                 "proxy.nonce: the evidence does not answer to the certificate that it renews");
  }
  wire::EnrolRequest again;
  again.set_role(node->role);
  again.set_name(request.node());
  again.set_verify_key(wire::field(node->verify_key));
  again.set_platform_key(wire::field(node->platform_key));
  *again.mutable_proxy() = request.proxy();
  TCFDL_ASSIGN(const auto judged, judge_proxy(again));
  NodeRenewed renewed;
  renewed.set_cluster(cluster);
  renewed.set_node(request.node());
  *renewed.mutable_evidence() = request.proxy().evidence();
  renewed.set_replaced(present.evidence_hash());
  TCFDL_TRY(parts_.log.append(renewed));
  return certify_node(again, cluster, judged);
}

Result<wire::EnrolReply> Authority::certify_node(const wire::EnrolRequest& request, const std::string& cluster,
                                                 const Judged& judged) {
  wire::Certificate node;
  node.set_subject(request.name());
  node.set_role(request.role());
  node.set_verify_key(request.verify_key());
  node.set_cluster(cluster);
  node.set_node(request.name());
  node.set_issued(parts_.clock.now());
  node.set_expires(expiry());
  wire::Certificate proxy = node;
  proxy.set_subject(request.name() + "/proxy");
  proxy.set_role(wire::ROLE_PROXY);
  proxy.set_verify_key(request.proxy().verify_key());
  proxy.set_seal_key(request.proxy().seal_key());
  proxy.set_tee_kind(judged.tee_kind);
  proxy.set_assurance(judged.assurance);
  proxy.set_policy_version(policy_version());
  proxy.set_measurement(wire::field(judged.measurement));
  proxy.set_evidence_hash(wire::field(crypto::sha256(wire::serialize(request.proxy().evidence()))));
  TCFDL_TRY(number({&node, &proxy}, {}, cluster));
  wire::EnrolReply reply;
  *reply.mutable_certificate() = wire::sign(keys_->signing_key(), node);
  *reply.mutable_proxy_certificate() = wire::sign(keys_->signing_key(), proxy);
  reply.set_authority_key(wire::field(public_key().bytes()));
  return reply;
}

} // namespace tcfdl::service_manager
