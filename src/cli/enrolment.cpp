#include "cli/enrolment.hpp"

#include "base/clock.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"
#include "http/json.hpp"
#include "wire/signed.hpp"

namespace tcfdl::cli {
namespace {

wire::AuthorityRequest request_of(const wire::EnrolmentToken& token, const std::string& name, const ClientKeys& keys) {
  wire::AuthorityRequest request;
  auto& enrol = *request.mutable_enrol();
  enrol.set_token_secret(token.secret);
  enrol.set_role(wire::ROLE_CLIENT);
  enrol.set_name(name);
  enrol.set_verify_key(wire::field(keys.signing.public_key().bytes()));
  enrol.set_seal_key(wire::field(keys.sealing.public_key().bytes()));
  enrol.set_possession(wire::field(
      wire::sign_labelled(keys.signing, "Enrol",
                          {as_bytes(enrol.token_secret()), as_bytes(enrol.verify_key()), as_bytes(enrol.seal_key())})));
  return request;
}

Result<wire::EnrolReply> ask(Api& api, const wire::AuthorityRequest& request) {
  TCFDL_ASSIGN(auto answer, api.post("/v1/enrol", {{"request", to_base64url(wire::serialize(request))}}));
  TCFDL_ASSIGN(auto object, http::JsonObject::of(std::move(answer), "answer"));
  const auto text = object.text("reply");
  TCFDL_TRY(object.finish());
  TCFDL_ASSIGN(const auto bytes, from_base64url(text));
  TCFDL_ASSIGN(auto reply, wire::parse<wire::AuthorityReply>(bytes));
  if (!reply.has_enrol()) return Error(Code::kInternal, "the authority's answer is no enrolment");
  return std::move(*reply.mutable_enrol());
}

/// The certificate must be the pinned authority's, for this client and these keys.
Status check(const wire::EnrolReply& reply, const wire::EnrolmentToken& token, const wire::EnrolRequest& asked) {
  TCFDL_TRY(token.check_authority(as_bytes(reply.authority_key())));
  TCFDL_ASSIGN(const auto authority, crypto::VerifyKey::from_bytes(as_bytes(reply.authority_key())));
  const auto now = SystemClock().now();
  TCFDL_ASSIGN(const auto certificate,
               wire::verify_certificate(authority, reply.certificate(), {wire::ROLE_CLIENT}, now));
  const bool ours = certificate.subject() == asked.name() && certificate.verify_key() == asked.verify_key() &&
                    certificate.seal_key() == asked.seal_key();
  if (ours) return {};
  return Error(Code::kUnauthenticated, "the authority's certificate is for another client or other keys");
}

} // namespace

ClientKeys ClientKeys::generate() { return {crypto::SigningKey::generate(), crypto::HpkePrivateKey::generate()}; }

Result<ClientKeys> ClientKeys::of(const sdk::Context& context) {
  TCFDL_ASSIGN(const auto signing_bytes, from_base64url(context.signing_key));
  TCFDL_ASSIGN(const auto sealing_bytes, from_base64url(context.seal_key));
  TCFDL_ASSIGN(auto signing, crypto::SigningKey::from_private_bytes(signing_bytes));
  TCFDL_ASSIGN(auto sealing, crypto::HpkePrivateKey::from_bytes(sealing_bytes));
  return ClientKeys{std::move(signing), std::move(sealing)};
}

void ClientKeys::write_to(sdk::Context& context) const {
  context.signing_key = to_base64url(signing.private_bytes().span());
  context.seal_key = to_base64url(sealing.private_bytes().span());
}

Result<sdk::Context> enrol_client(Api& api, const wire::EnrolmentToken& token, const std::string& name,
                                  const ClientKeys& keys) {
  TCFDL_TRY(check_label(name, "client"));
  const auto request = request_of(token, name, keys);
  TCFDL_ASSIGN(const auto reply, ask(api, request));
  TCFDL_TRY(check(reply, token, request.enrol()));
  sdk::Context context;
  keys.write_to(context);
  context.client = name;
  context.certificate = to_base64url(wire::serialize(reply.certificate()));
  context.authority_key = to_base64url(as_bytes(reply.authority_key()));
  return context;
}

Status read_trust(const wire::EnrolmentToken& token, sdk::Context& context) {
  if (token.where.empty()) return {};
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(token.where, "the token"));
  const auto root = object.text("root");
  const auto server_name = object.text("server_name");
  const auto tasks = object.text_or("tasks", "");
  const auto tasks_token = object.text_or("tasks_token", "");
  TCFDL_TRY(object.finish());
  TCFDL_ASSIGN(const auto der, from_base64url(root));
  const auto checked = crypto::check_tls_root(der, token.authority_key_hash, SystemClock().now());
  if (!checked) return checked.error().within("the token's root certificate");
  if (!crypto::is_dns_name(server_name)) {
    return Error(Code::kInvalidArgument, "the token's 'server_name' is no name of a server");
  }
  context.tls_root = crypto::to_pem(der, "CERTIFICATE");
  context.tls_server_name = server_name;
  if (context.tasks_address.empty()) {
    context.tasks_address = tasks;
    context.tasks_token = tasks_token;
  }
  return {};
}

Result<std::string> create_token(Api& api, const std::string& role, std::chrono::seconds lifetime) {
  nlohmann::json body{{"role", role}, {"lifetime_s", lifetime.count()}};
  if (role == "client") body["grants"] = {"*", "publish:*", "subscribe:*"};
  TCFDL_ASSIGN(auto answer, api.post("/v1/tokens", body));
  TCFDL_ASSIGN(auto object, http::JsonObject::of(std::move(answer), "answer"));
  auto token = object.text("token");
  (void)object.value("expires");
  TCFDL_TRY(object.finish());
  return token;
}

std::int64_t certificate_expiry(const sdk::Context& context) {
  const auto bytes = from_base64url(context.certificate);
  if (!bytes) return 0;
  const auto signed_statement = wire::parse<wire::Signed>(*bytes);
  if (!signed_statement) return 0;
  const auto certificate = wire::parse<wire::Certificate>(signed_statement->statement());
  return certificate ? certificate->expires() : 0;
}

} // namespace tcfdl::cli
