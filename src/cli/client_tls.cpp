#include "cli/client_tls.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/rfc3339.hpp"
#include "crypto/pem.hpp"
#include "http/json.hpp"
#include "sdk/identity.hpp"
#include "wire/client_leaf.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::cli {
namespace {

constexpr std::string_view kPemLabel = "CERTIFICATE";

struct Answer {
  wire::Signed certificate;
  std::vector<Bytes> chain; ///< leaf and root, X.509 in DER
};

Result<Answer> ask(Api& api, const sdk::Context& context) {
  TCFDL_ASSIGN(auto document, api.post("/v1/certificate", {{"certificate", context.certificate}}));
  TCFDL_ASSIGN(auto object, http::JsonObject::of(std::move(document), "answer"));
  const auto certificate = object.text("certificate");
  const auto chain = object.texts("tls_chain");
  TCFDL_TRY(object.finish());
  Answer answer;
  TCFDL_ASSIGN(const auto bytes, from_base64url(certificate));
  TCFDL_ASSIGN(answer.certificate, wire::parse<wire::Signed>(bytes));
  for (const auto& text : chain) {
    TCFDL_ASSIGN(auto der, from_base64url(text));
    answer.chain.push_back(std::move(der));
  }
  return answer;
}

/// Of the certificate that the leaf carries, whose end is the leaf's.
Result<Lifetime> lifetime_of(const crypto::Certificate& leaf) {
  TCFDL_ASSIGN(const auto statement, crypto::client_statement_of(leaf));
  TCFDL_ASSIGN(const auto carried, wire::parse<wire::Signed>(statement));
  TCFDL_ASSIGN(const auto certificate, wire::parse<wire::Certificate>(carried.statement()));
  return wire::lifetime_of(certificate);
}

Result<Lifetime> lifetime_of_shown(const sdk::Context& context) {
  const auto ders = crypto::pem_blocks(as_bytes(context.tls_certificate), kPemLabel, 1);
  if (!ders) return ders.error().within(fmt::format("context '{}': 'tls_certificate'", context.name));
  TCFDL_ASSIGN(const auto leaf, crypto::Certificate::parse(ders->front()));
  return lifetime_of(leaf);
}

Status renew(const std::string& name, const sdk::Context& context) {
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto tls, ask_client_tls(api, context));
  return show_client_tls(name, context, tls);
}

} // namespace

Result<ClientTls> ask_client_tls(Api& api, const sdk::Context& context) {
  TCFDL_ASSIGN(const auto identity, sdk::identity_of(context));
  TCFDL_ASSIGN(auto answer, ask(api, context));
  const auto time = SystemClock().now();
  TCFDL_ASSIGN(auto chain, crypto::check_tls_chain(answer.chain, crypto::sha256(identity.authority.bytes()),
                                                   identity.signing.public_key(),
                                                   wire::client_name(context.client, context.cluster), time));
  const wire::Revocations none(identity.authority);
  TCFDL_TRY(wire::verify_client_leaf(chain.leaf.der(), {identity.authority, context.cluster, none, time}));
  TCFDL_TRY(identity.certificate.adopt(answer.certificate, identity.authority, time));
  TCFDL_ASSIGN(const auto lifetime, lifetime_of(chain.leaf));
  return ClientTls{std::move(chain), std::move(answer.certificate), lifetime};
}

Status show_client_tls(const std::string& name, const sdk::Context& context, const ClientTls& tls) {
  return sdk::update_context(name, context, [&](sdk::Context& changed) {
    changed.certificate = to_base64url(wire::serialize(tls.certificate));
    changed.tls_certificate = certificate_pem(tls.chain.leaf);
    changed.api_token.clear();
  });
}

std::string certificate_pem(const crypto::Certificate& certificate) {
  return crypto::to_pem(certificate.der(), kPemLabel);
}

Result<sdk::Context> load_api_context(const std::string& name) {
  TCFDL_ASSIGN(auto context, sdk::load_context(name));
  if (!context.api_token.empty() || context.tls_certificate.empty()) return context;
  TCFDL_ASSIGN(const auto lifetime, lifetime_of_shown(context));
  const auto now = SystemClock().now();
  if (lifetime.expires <= now) {
    return make_error(Code::kFailedPrecondition,
                      "the certificate that context '{}' shows to the API expired at {}; enrol the client anew",
                      context.name, to_rfc3339(lifetime.expires));
  }
  if (lifetime.until_half(now) > std::chrono::seconds(0)) return context;
  if (const auto renewed = renew(name, context); !renewed) {
    spdlog::warn("the certificate for the API is not renewed yet: {}", renewed.error().message());
    return context;
  }
  return sdk::load_context(name);
}

} // namespace tcfdl::cli
