#include "node/client_certificates.hpp"

namespace tcfdl::node {

bool ClientCertificates::is_fresh(const wire::Certificate& certificate) const {
  const auto left = wire::lifetime_of(certificate).until_half(clock_.now());
  return left > std::chrono::seconds(0) && revocations_.check(certificate);
}

Result<std::optional<ClientCertificates::Newer>> ClientCertificates::newer_than(const wire::Certificate& present) {
  TCFDL_TRY(revocations_.check_key(present.verify_key(), present.subject()));
  if (is_fresh(present)) return std::nullopt;
  auto newer = kept_or_renewed(present);
  if (newer) return std::optional(*std::move(newer));
  if (revocations_.check(present)) return std::nullopt; // another connection may find the authority
  return newer.error().within("the certificate was replaced and its successor cannot be had");
}

Result<ClientCertificates::Newer> ClientCertificates::current(const wire::Signed& unverified) {
  TCFDL_ASSIGN(const auto present, wire::verify_renewable(authority_, unverified, {wire::ROLE_CLIENT}, clock_.now()));
  TCFDL_TRY(revocations_.check_key(present.verify_key(), present.subject()));
  return kept_or_renewed(present);
}

Result<ClientCertificates::Newer> ClientCertificates::kept_or_renewed(const wire::Certificate& present) {
  auto kept = kept_.with([&](const auto& all) -> std::optional<Newer> {
    const auto found = all.find(present.subject());
    return found == all.end() ? std::nullopt : std::optional(found->second);
  });
  if (kept && kept->parsed.verify_key() == present.verify_key() && is_fresh(kept->parsed)) return *std::move(kept);
  return renew(present);
}

Result<ClientCertificates::Newer> ClientCertificates::renew(const wire::Certificate& present) {
  TCFDL_ASSIGN(const auto reply, renew_(present.subject()));
  TCFDL_ASSIGN(auto parsed,
               wire::verify_certificate(authority_, reply.certificate(), {wire::ROLE_CLIENT}, clock_.now()));
  if (parsed.subject() != present.subject() || parsed.verify_key() != present.verify_key()) {
    return make_error(Code::kUnauthenticated, "{} is enrolled with another key; enrol it again", present.subject());
  }
  Newer newer{reply.certificate(), std::move(parsed), {reply.tls_chain().begin(), reply.tls_chain().end()}};
  kept_.with([&](auto& all) { all.insert_or_assign(present.subject(), newer); });
  return newer;
}

} // namespace tcfdl::node
