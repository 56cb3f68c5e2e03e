// Who a caller is: its keys, made here, and what the authority says of them.
#pragma once

#include "crypto/hpke.hpp"
#include "sdk/context.hpp"
#include "wire/held_certificate.hpp"

namespace tcfdl::sdk {

/// Constant after construction, but for the certificate.
struct Identity {
  std::string name;
  crypto::SigningKey signing;
  crypto::HpkePrivateKey sealing;
  wire::HeldCertificate certificate;
  crypto::VerifyKey authority;
};

/// The identity that a context holds. INVALID_ARGUMENT names the field that is damaged.
Result<Identity> identity_of(const Context& context);

/// As `open_key_package`, for keys that are no scalars.
Result<crypto::SecretBytes> open_secret_package(const Identity& identity, const wire::KeyPackage& package,
                                                wire::KeyRole role, std::int64_t now, wire::KeyScope& scope);

/// Opens a key package addressed to `identity` and checks everything its scope says of the recipient.
/// UNAUTHENTICATED for a foreign or expired package, PERMISSION_DENIED for one of another role or recipient.
Result<crypto::Scalar> open_key_package(const Identity& identity, const wire::KeyPackage& package, wire::KeyRole role,
                                        std::int64_t now, wire::KeyScope& scope);

} // namespace tcfdl::sdk
