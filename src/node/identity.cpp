#include "node/identity.hpp"

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/rfc3339.hpp"
#include "crypto/hash.hpp"
#include "wire/enrolment_token.hpp"

namespace tcfdl::node {
namespace {

constexpr const char* kEntrance = "entrance";
constexpr const char* kCertificate = "certificate";
constexpr const char* kProxyCertificate = "proxy_certificate";
constexpr const char* kAuthorityKey = "authority_key";

Result<wire::EnrolmentToken> read_token(const HostConfig& config) {
  if (config.enrolment_token_file.empty()) {
    return make_error(Code::kFailedPrecondition,
                      "{} has not enrolled and its configuration has no 'enrolment_token_file'; make a token with "
                      "`tcfdl token create`",
                      config.node);
  }
  TCFDL_ASSIGN(const auto text, read_text_file(config.enrolment_token_file, 8192));
  return wire::parse_enrolment_token(text);
}

wire::AuthorityRequest enrolment_request(const HostConfig& config, const wire::EnrolmentToken& token, wire::Role role,
                                         const crypto::SigningKey& signing, wire::ProxyEnrolment proxy) {
  wire::AuthorityRequest request;
  auto& enrol = *request.mutable_enrol();
  enrol.set_token_secret(token.secret);
  enrol.set_role(role);
  enrol.set_name(config.node);
  enrol.set_verify_key(wire::field(signing.public_key().bytes()));
  enrol.set_platform_key(proxy.evidence().platform_key());
  enrol.set_possession(wire::field(wire::sign_labelled(
      signing, "Enrol", {as_bytes(enrol.token_secret()), as_bytes(enrol.verify_key()), as_bytes(enrol.seal_key())})));
  *enrol.mutable_proxy() = std::move(proxy);
  return request;
}

template <class Message> std::string text_of(const Message& message) { return to_base64url(wire::serialize(message)); }

Status enrol(const HostConfig& config, NodeState& state, wire::Role role, const crypto::SigningKey& signing,
             ProxyProcess& proxy, const SendEnrolment& send) {
  TCFDL_ASSIGN(const auto token, read_token(config));
  TCFDL_ASSIGN(auto evidence, proxy.enrolment());
  const auto request = enrolment_request(config, token, role, signing, std::move(evidence));
  TCFDL_ASSIGN(const auto bytes, send(wire::serialize(request)));
  TCFDL_ASSIGN(const auto reply, wire::parse<wire::AuthorityReply>(bytes));
  if (!reply.has_enrol()) return Error(Code::kInternal, "the authority answered with no enrolment");
  TCFDL_TRY(token.check_authority(as_bytes(reply.enrol().authority_key())));
  TCFDL_TRY(state.set(kAuthorityKey, to_base64url(as_bytes(reply.enrol().authority_key()))));
  TCFDL_TRY(state.set(kProxyCertificate, text_of(reply.enrol().proxy_certificate())));
  TCFDL_TRY(state.set(kCertificate, text_of(reply.enrol().certificate())));
  spdlog::info("enrolled as {}", config.node);
  return {};
}

Result<wire::Signed> kept_statement(const NodeState& state, const char* key) {
  TCFDL_ASSIGN(const auto bytes, from_base64url(state.get(key)));
  return wire::parse<wire::Signed>(bytes);
}

wire::ProxyIdentity proxy_identity(const wire::Certificate& node, const wire::Signed& proxy_certificate,
                                   const crypto::VerifyKey& authority) {
  wire::ProxyIdentity identity;
  *identity.mutable_certificate() = proxy_certificate;
  identity.set_authority_key(wire::field(authority.bytes()));
  identity.set_cluster(node.cluster());
  identity.set_node(node.subject());
  return identity;
}

} // namespace

Result<NodeEntrance> read_entrance(const HostConfig& config, NodeState& state) {
  TCFDL_ASSIGN(const auto text, state.keep(kEntrance, [&]() -> Result<std::string> {
    TCFDL_ASSIGN(const auto token, read_token(config));
    TCFDL_ASSIGN(const auto entrance, NodeEntrance::from_json(token.where));
    TCFDL_TRY(entrance.check_root(token.authority_key_hash));
    return std::string(as_text(token.where));
  }));
  auto entrance = NodeEntrance::from_json(as_bytes(text));
  if (entrance) return entrance;
  return entrance.error().within(fmt::format("{}: enrol {} with a new token and an empty state directory",
                                             state.directory().string(), config.node));
}

Result<NodeIdentity> obtain_identity(const HostConfig& config, NodeState& state, NodeEntrance entrance, wire::Role role,
                                     ProxyProcess& proxy, const SendEnrolment& send) {
  TCFDL_ASSIGN(auto signing, state.signing_key());
  if (state.get(kCertificate).empty()) TCFDL_TRY(enrol(config, state, role, signing, proxy, send));
  TCFDL_ASSIGN(const auto authority_bytes, from_base64url(state.get(kAuthorityKey)));
  TCFDL_ASSIGN(auto authority, crypto::VerifyKey::from_bytes(authority_bytes));
  TCFDL_TRY(entrance.check_root(crypto::sha256(authority_bytes)));
  TCFDL_ASSIGN(auto certificate, kept_statement(state, kCertificate));
  TCFDL_ASSIGN(auto proxy_certificate, kept_statement(state, kProxyCertificate));
  TCFDL_ASSIGN(const auto checked, wire::verify_certificate(authority, certificate, {role}, SystemClock().now()));
  if (checked.subject() != config.node || checked.verify_key() != wire::field(signing.public_key().bytes())) {
    return make_error(Code::kFailedPrecondition, "the state in {} is of the node {}", state.directory().string(),
                      checked.subject());
  }
  TCFDL_TRY(proxy.set_identity(proxy_identity(checked, proxy_certificate, authority)));
  return NodeIdentity{std::move(entrance), std::move(signing), wire::HeldCertificate(std::move(certificate)),
                      wire::HeldCertificate(std::move(proxy_certificate)), std::move(authority)};
}

Status renew_identity(const HostConfig& config, NodeState& state, const NodeIdentity& identity, ProxyProcess& proxy,
                      const AskAuthority& ask, const Clock& clock) {
  const auto present = identity.proxy_certificate.get();
  wire::AuthorityRequest request;
  auto& renewal = *request.mutable_renew_node();
  renewal.set_node(config.node);
  *renewal.mutable_proxy_certificate() = present;
  TCFDL_ASSIGN(*renewal.mutable_proxy(), proxy.enrolment(crypto::sha256(as_bytes(present.statement()))));
  TCFDL_ASSIGN(const auto reply, ask(request, Deadline::after(std::chrono::seconds(20))));
  if (!reply.has_enrol()) return Error(Code::kInternal, "the authority answered a renewal with no certificates");
  TCFDL_TRY(identity.proxy_certificate.adopt(reply.enrol().proxy_certificate(), identity.authority, clock.now()));
  TCFDL_TRY(identity.certificate.adopt(reply.enrol().certificate(), identity.authority, clock.now()));
  TCFDL_TRY(state.set(kProxyCertificate, text_of(identity.proxy_certificate.get())));
  TCFDL_TRY(state.set(kCertificate, text_of(identity.certificate.get())));
  TCFDL_ASSIGN(const auto node, wire::parse<wire::Certificate>(identity.certificate.get().statement()));
  TCFDL_TRY(proxy.set_identity(proxy_identity(node, identity.proxy_certificate.get(), identity.authority)));
  spdlog::info("the certificates of node and proxy are renewed, until {}", to_rfc3339(node.expires()));
  return {};
}

} // namespace tcfdl::node
