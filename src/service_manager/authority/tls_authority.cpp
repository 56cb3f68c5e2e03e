#include "service_manager/authority/tls_authority.hpp"

#include "collaboration/server_names.hpp"

namespace tcfdl::service_manager::authority {
namespace {

constexpr std::int64_t kClockDifference = 24L * 3600; // of who checks a certificate
constexpr std::int64_t kRootLifetime = 10L * 365 * 24 * 3600;

} // namespace

TlsAuthority::TlsAuthority(const crypto::SigningKey& key, const Clock& clock)
    : key_(key), clock_(clock),
      root_(crypto::make_tls_root(key, collaboration::kServerDomain,
                                  {clock.now() - kClockDifference, clock.now() + kRootLifetime})) {}

Result<crypto::Certificate> TlsAuthority::issue(const crypto::VerifyKey& key, std::vector<std::string> names,
                                                UnixSeconds expires) const {
  const auto now = clock_.now();
  if (expires <= now) return Error(Code::kInvalidArgument, "the certificate would have expired already");
  const auto begin = std::max(now - kClockDifference, root_.validity().not_before);
  return crypto::issue_tls_certificate(key_, root_, {key, std::move(names), {begin, expires}});
}

} // namespace tcfdl::service_manager::authority
