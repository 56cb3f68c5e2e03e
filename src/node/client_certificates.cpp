#include "node/client_certificates.hpp"

#include <numeric>

namespace tcfdl::node {

bool ClientCertificates::is_fresh(const wire::Certificate& certificate) const {
  const auto half_life = std::midpoint(certificate.issued(), certificate.expires());
  return clock_.now() < half_life && revocations_.check(certificate);
}

Result<std::optional<ClientCertificates::Newer>> ClientCertificates::newer_than(const wire::Certificate& present) {
  TCFDL_TRY(revocations_.check_key(present.verify_key(), present.subject()));
  if (is_fresh(present)) return std::nullopt;
  auto kept = kept_.with([&](const auto& all) -> std::optional<Newer> {
    const auto found = all.find(present.subject());
    return found == all.end() ? std::nullopt : std::optional(found->second);
  });
  if (kept && kept->parsed.verify_key() == present.verify_key() && is_fresh(kept->parsed)) return kept;
  auto renewed = renew(present);
  if (renewed) return std::optional(*std::move(renewed));
  if (revocations_.check(present)) return std::nullopt; // another connection may find the authority
  return renewed.error().within("the certificate was replaced and its successor cannot be had");
}

Result<ClientCertificates::Newer> ClientCertificates::renew(const wire::Certificate& present) {
  TCFDL_ASSIGN(auto certificate, renew_(present.subject()));
  TCFDL_ASSIGN(auto parsed, wire::verify_certificate(authority_, certificate, {wire::ROLE_CLIENT}, clock_.now()));
  if (parsed.subject() != present.subject() || parsed.verify_key() != present.verify_key()) {
    return make_error(Code::kUnauthenticated, "{} is enrolled with another key; enrol it again", present.subject());
  }
  Newer newer{std::move(certificate), std::move(parsed)};
  kept_.with([&](auto& all) { all.insert_or_assign(present.subject(), newer); });
  return newer;
}

} // namespace tcfdl::node
