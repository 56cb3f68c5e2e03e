#include "gateway/callers.hpp"

namespace tcfdl::gateway {
namespace {

constexpr std::chrono::seconds kAskTime{10};

} // namespace

Result<wire::TlsClient> Callers::verify(BytesView leaf) const {
  return wire::verify_client_leaf(leaf, {trust_.authority, trust_.cluster, trust_.revocations, trust_.clock.now()});
}

Result<http::Caller> Callers::identify(BytesView leaf) const {
  TCFDL_ASSIGN(const auto client, verify(leaf));
  return http::Caller{client.parsed.subject(), "client", 0};
}

Status Callers::check_call(const http::Request& request, const std::string& function) {
  if (request.tls_certificate.empty()) return {}; // the server admits no other than the holder of its token
  TCFDL_ASSIGN(const auto client, verify(request.tls_certificate));
  TCFDL_ASSIGN(const auto certificate, of_now(client));
  if (wire::grants_allow(certificate, function)) return {};
  return make_error(Code::kPermissionDenied, "{} has no grant to call {}", certificate.subject(), function);
}

/// The certificate itself while it is on no list, else its successor.
Result<wire::Certificate> Callers::of_now(const wire::TlsClient& client) {
  if (trust_.revocations.check(client.parsed)) return client.parsed;
  const auto held = newest_.with([&](auto& newest) {
    return newest.try_emplace(client.parsed.verify_key(), wire::HeldCertificate(client.certificate)).first->second;
  });
  TCFDL_ASSIGN(auto present, wire::parse<wire::Certificate>(held.get().statement()));
  if (trust_.revocations.check(present)) return present;
  TCFDL_ASSIGN(const auto newer, ask_newest_(held.get(), Deadline::after(kAskTime)));
  TCFDL_TRY(held.adopt(newer, trust_.authority, trust_.clock.now()));
  TCFDL_ASSIGN(present, wire::parse<wire::Certificate>(held.get().statement()));
  TCFDL_TRY(trust_.revocations.check(present));
  return present;
}

} // namespace tcfdl::gateway
