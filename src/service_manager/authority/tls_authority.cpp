#include "service_manager/authority/tls_authority.hpp"

#include "wire/server_names.hpp"

namespace tcfdl::service_manager::authority {
namespace {

constexpr std::int64_t kClockDifference = 24L * 3600; // of who checks a certificate
constexpr std::int64_t kRootLifetime = 10L * 365 * 24 * 3600;

} // namespace

TlsAuthority::TlsAuthority(const crypto::SigningKey& key, const Clock& clock)
    : key_(key), clock_(clock),
      root_(crypto::make_tls_root(key, wire::kServerDomain,
                                  {clock.now() - kClockDifference, clock.now() + kRootLifetime})) {}

Result<crypto::Certificate> TlsAuthority::issue(const crypto::VerifyKey& key, std::vector<std::string> names,
                                                UnixSeconds expires, Bytes client_statement) const {
  const auto now = clock_.now();
  if (expires <= now) return Error(Code::kInvalidArgument, "the certificate would have expired already");
  const auto begin = std::max(now - kClockDifference, root_.validity().not_before);
  return crypto::issue_tls_certificate(key_, root_,
                                       {key, std::move(names), {begin, expires}, std::move(client_statement)});
}

Result<std::vector<crypto::Certificate>> TlsAuthority::chain_of(const wire::Signed& certificate) const {
  TCFDL_ASSIGN(const auto parsed, wire::parse<wire::Certificate>(certificate.statement()));
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(parsed.verify_key())));
  std::vector<crypto::Certificate> chain;
  if (parsed.role() == wire::ROLE_CLIENT) {
    TCFDL_ASSIGN(auto leaf, issue(key, {wire::client_name(parsed.subject(), parsed.cluster())}, parsed.expires(),
                                  wire::serialize(certificate)));
    chain = {std::move(leaf), root_};
  } else if (parsed.role() == wire::ROLE_GATEWAY || parsed.role() == wire::ROLE_INSTANCE) {
    const bool is_gateway = parsed.role() == wire::ROLE_GATEWAY;
    const auto name =
        is_gateway ? wire::gateway_server(parsed.cluster()) : wire::instance_server(parsed.subject(), parsed.cluster());
    TCFDL_ASSIGN(auto leaf, issue(key, {name}, parsed.expires()));
    chain = {std::move(leaf), root_};
  }
  return chain;
}

} // namespace tcfdl::service_manager::authority
