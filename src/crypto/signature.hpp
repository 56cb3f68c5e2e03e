// ECDSA on P-256 with SHA-256 (FIPS 186-5), signatures in DER.
#pragma once

#include "crypto/p256.hpp"

#include <memory>

namespace tcfdl::crypto {

/// A public key. Copies share libcrypto's form of it; const members are thread-safe.
class VerifyKey {
public:
  explicit VerifyKey(const Point& point);

  /// From the point's 65 octets. INVALID_ARGUMENT as of `Point::from_bytes`.
  static Result<VerifyKey> from_bytes(BytesView bytes);

  [[nodiscard]] std::span<const std::uint8_t, kPointSize> bytes() const noexcept { return point_.bytes(); }
  [[nodiscard]] const Point& point() const noexcept { return point_; }

  /// UNAUTHENTICATED unless `signature` is this key's over `message`.
  [[nodiscard]] Status verify(BytesView message, BytesView signature) const;

  friend bool operator==(const VerifyKey& left, const VerifyKey& right) { return left.point_ == right.point_; }

private:
  Point point_;
  std::shared_ptr<const evp_pkey_ctx_st> verifier_;
};

/// A private key. Move-only; const members are thread-safe.
class SigningKey {
public:
  static SigningKey generate();

  /// INVALID_ARGUMENT as of `Scalar::from_bytes`.
  static Result<SigningKey> from_private_bytes(BytesView bytes);

  /// The 32 octets that `from_private_bytes` takes, for storage that is sealed.
  [[nodiscard]] SecretBytes private_bytes() const { return scalar_.to_bytes(); }

  [[nodiscard]] const VerifyKey& public_key() const noexcept { return public_key_; }

  /// The signature in DER, 8 to 72 octets; two signatures of one message differ.
  [[nodiscard]] Bytes sign(BytesView message) const;

private:
  explicit SigningKey(Scalar scalar);

  Scalar scalar_;
  VerifyKey public_key_;
  KeyContextPtr signer_;
};

} // namespace tcfdl::crypto
