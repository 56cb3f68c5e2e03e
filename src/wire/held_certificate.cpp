#include "wire/held_certificate.hpp"

namespace tcfdl::wire {

Status HeldCertificate::adopt(const Signed& unverified, const crypto::VerifyKey& authority, std::int64_t now) const {
  TCFDL_ASSIGN(const auto present, parse<Certificate>(get().statement()));
  TCFDL_ASSIGN(const auto newer, verify_certificate(authority, unverified, {present.role()}, now));
  if (newer.subject() != present.subject() || newer.cluster() != present.cluster() || newer.node() != present.node() ||
      newer.verify_key() != present.verify_key() || newer.seal_key() != present.seal_key()) {
    return make_error(Code::kUnauthenticated, "a newer certificate of {} is not for {} and its keys", newer.subject(),
                      present.subject());
  }
  held_->with([&](auto& held) {
    const auto known = parse<Certificate>(held.statement());
    if (!known || known->serial() < newer.serial()) held = unverified;
  });
  return {};
}

Lifetime HeldCertificate::lifetime() const {
  const auto certificate = parse<Certificate>(get().statement());
  return certificate ? lifetime_of(*certificate) : Lifetime{};
}

} // namespace tcfdl::wire
