// HPKE (RFC 9180), base mode, one message a key: DHKEM(P-256, HKDF-SHA256) 0x0010, HKDF-SHA256 0x0001,
// AES-128-GCM 0x0001.
#pragma once

#include "crypto/p256.hpp"

namespace tcfdl::crypto {

/// What sealing adds to a plaintext: the encapsulated key and the tag, octets.
constexpr std::size_t kHpkeOverhead = kPointSize + 16;

/// A recipient's key. Move-only; const members are thread-safe.
class HpkePrivateKey {
public:
  static HpkePrivateKey generate();

  /// INVALID_ARGUMENT as of `Scalar::from_bytes`.
  static Result<HpkePrivateKey> from_bytes(BytesView bytes);

  /// DeriveKeyPair of RFC 9180 section 7.1.3. INVALID_ARGUMENT for less than 32 octets.
  static Result<HpkePrivateKey> derive(BytesView ikm);

  /// The 32 octets that `from_bytes` takes, for storage that is sealed.
  [[nodiscard]] SecretBytes private_bytes() const { return scalar_.to_bytes(); }
  [[nodiscard]] const Scalar& scalar() const noexcept { return scalar_; }
  [[nodiscard]] const Point& public_key() const noexcept { return public_key_; }

private:
  explicit HpkePrivateKey(Scalar scalar) : scalar_(std::move(scalar)), public_key_(Point::generator_times(scalar_)) {}

  Scalar scalar_;
  Point public_key_;
};

/// Seals to the holder of the private key of `recipient_public`, 65 octets. Returns the encapsulated key (65 octets)
/// followed by ciphertext and tag. INVALID_ARGUMENT for a bad point or more than 1 GiB.
Result<Bytes> hpke_seal(BytesView recipient_public, BytesView info, BytesView aad, BytesView plaintext);

/// Opens what `hpke_seal` returned. INVALID_ARGUMENT for a short text or a bad point, UNAUTHENTICATED if key, info,
/// associated data or text differ from what was sealed.
Result<SecretBytes> hpke_open(const HpkePrivateKey& recipient, BytesView info, BytesView aad, BytesView sealed);

namespace internal {

/// `hpke_seal` with a chosen ephemeral key, which must never serve twice: for published test vectors.
Result<Bytes> hpke_seal_with(const HpkePrivateKey& ephemeral, BytesView recipient_public, BytesView info, BytesView aad,
                             BytesView plaintext);

} // namespace internal
} // namespace tcfdl::crypto
