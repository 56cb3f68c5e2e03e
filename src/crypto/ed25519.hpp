// Ed25519 (RFC 8032 section 5.1): the signatures of NATS identities.
#pragma once

#include "crypto/secret.hpp"

#include "base/result.hpp"

#include <memory>

struct evp_pkey_st;

namespace tcfdl::crypto {

constexpr std::size_t kEd25519KeySize = 32;
constexpr std::size_t kEd25519SignatureSize = 64;

using Ed25519PublicKey = std::array<std::uint8_t, kEd25519KeySize>;
using Ed25519Signature = std::array<std::uint8_t, kEd25519SignatureSize>;
/// The private key of RFC 8032: 32 octets from which scalar and prefix are derived.
using Ed25519Seed = SecretArray<kEd25519KeySize>;

/// A private key. Move-only; const members are thread-safe.
class Ed25519SigningKey {
public:
  static Ed25519SigningKey generate();
  explicit Ed25519SigningKey(Ed25519Seed seed);

  [[nodiscard]] const Ed25519Seed& seed() const noexcept { return seed_; }
  [[nodiscard]] const Ed25519PublicKey& public_key() const noexcept { return public_key_; }

  /// The same for the same message, always.
  [[nodiscard]] Ed25519Signature sign(BytesView message) const;

private:
  Ed25519Seed seed_;
  Ed25519PublicKey public_key_{};
  std::shared_ptr<evp_pkey_st> key_;
};

/// UNAUTHENTICATED unless `signature` is this key's over `message`, of 64 octets and with a reduced scalar.
Status verify_ed25519(const Ed25519PublicKey& key, BytesView message, BytesView signature);

} // namespace tcfdl::crypto
