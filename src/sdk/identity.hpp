// Who a caller is: its keys, made here, and what the authority says of them.
#pragma once

#include "base/guarded.hpp"
#include "crypto/hpke.hpp"
#include "sdk/context.hpp"
#include "wire/signed.hpp"

#include <memory>

namespace tcfdl::sdk {

/// A caller's certificate, which may be replaced by a newer one for the same keys. Thread-safe; copies are one.
class HeldCertificate {
public:
  HeldCertificate(wire::Signed certificate) // NOLINT(google-explicit-constructor): a certificate is held from the start
      : held_(std::make_shared<Guarded<wire::Signed>>(std::move(certificate))) {}

  [[nodiscard]] wire::Signed get() const {
    return held_->with([](const auto& certificate) { return certificate; });
  }
  void replace(wire::Signed certificate) const {
    held_->with([&](auto& held) { held = std::move(certificate); });
  }

private:
  std::shared_ptr<Guarded<wire::Signed>> held_;
};

/// Constant after construction, but for the certificate.
struct Identity {
  std::string name;
  crypto::SigningKey signing;
  crypto::HpkePrivateKey sealing;
  HeldCertificate certificate;
  crypto::VerifyKey authority;
};

/// The identity that a context holds. INVALID_ARGUMENT names the field that is damaged.
Result<Identity> identity_of(const Context& context);

/// Takes a newer certificate of the same subject, role and keys. UNAUTHENTICATED for any other.
Status adopt_certificate(const Identity& identity, const wire::Signed& unverified, std::int64_t now);

/// Opens a key package addressed to `identity` and checks everything its scope says of the recipient.
/// UNAUTHENTICATED for a foreign or expired package, PERMISSION_DENIED for one of another role or recipient.
Result<crypto::Scalar> open_key_package(const Identity& identity, const wire::KeyPackage& package, wire::KeyRole role,
                                        std::int64_t now, wire::KeyScope& scope);

} // namespace tcfdl::sdk
