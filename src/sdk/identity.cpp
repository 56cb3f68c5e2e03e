#include "sdk/identity.hpp"

#include "base/encoding.hpp"

namespace tcfdl::sdk {
namespace {

Error damaged(const Context& context, std::string_view field, const Error& why) {
  return make_error(Code::kInvalidArgument, "context '{}': '{}' is damaged: {}", context.name, field, why.message());
}

} // namespace

Result<Identity> identity_of(const Context& context) {
  const auto signing_bytes = from_base64url(context.signing_key);
  if (!signing_bytes) return damaged(context, "signing_key", signing_bytes.error());
  auto signing = crypto::SigningKey::from_private_bytes(*signing_bytes);
  if (!signing) return damaged(context, "signing_key", signing.error());
  const auto seal_bytes = from_base64url(context.seal_key);
  if (!seal_bytes) return damaged(context, "seal_key", seal_bytes.error());
  auto sealing = crypto::HpkePrivateKey::from_bytes(*seal_bytes);
  if (!sealing) return damaged(context, "seal_key", sealing.error());
  const auto certificate_bytes = from_base64url(context.certificate);
  if (!certificate_bytes) return damaged(context, "certificate", certificate_bytes.error());
  auto certificate = wire::parse<wire::Signed>(*certificate_bytes);
  if (!certificate) return damaged(context, "certificate", certificate.error());
  const auto authority_bytes = from_base64url(context.authority_key);
  if (!authority_bytes) return damaged(context, "authority_key", authority_bytes.error());
  auto authority = crypto::VerifyKey::from_bytes(*authority_bytes);
  if (!authority) return damaged(context, "authority_key", authority.error());
  return Identity{context.client, *std::move(signing), *std::move(sealing),
                  wire::HeldCertificate(*std::move(certificate)), *std::move(authority)};
}

Result<crypto::SecretBytes> open_secret_package(const Identity& identity, const wire::KeyPackage& package,
                                                wire::KeyRole role, std::int64_t now, wire::KeyScope& scope) {
  TCFDL_ASSIGN(scope, wire::verify_key_package(identity.authority, package, now));
  if (scope.role() != role || scope.holder() != identity.name ||
      scope.recipient_key() != wire::field(identity.sealing.public_key().bytes())) {
    return make_error(Code::kPermissionDenied, "a key package for {} as {} is not for {}", scope.holder(),
                      wire::KeyRole_Name(scope.role()), identity.name);
  }
  return crypto::hpke_open(identity.sealing, as_bytes(package.scope()), {}, as_bytes(package.sealed()));
}

Result<crypto::Scalar> open_key_package(const Identity& identity, const wire::KeyPackage& package, wire::KeyRole role,
                                        std::int64_t now, wire::KeyScope& scope) {
  TCFDL_ASSIGN(const auto secret, open_secret_package(identity, package, role, now, scope));
  return crypto::Scalar::from_bytes(secret.span());
}

} // namespace tcfdl::sdk
