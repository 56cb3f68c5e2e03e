// NATS identities: Ed25519 keys with a text form that says what they are for. docs/formats/nats_credentials.md.
#pragma once

#include "crypto/ed25519.hpp"

#include <string>

namespace tcfdl::message_queue {

/// Who a key is.
enum class NkeyKind : std::uint8_t { kOperator, kAccount, kUser, kServer };

/// The key in a public text form: 56 characters of base32, the first says the kind (`O`, `A`, `U`, `N`).
/// INVALID_ARGUMENT for another kind, length or alphabet, trailing bits, or a wrong check sum.
Result<crypto::Ed25519PublicKey> parse_public_nkey(std::string_view text, NkeyKind kind);

std::string public_nkey_text(const crypto::Ed25519PublicKey& key, NkeyKind kind);

/// An identity with its private key. Move-only; const members are thread-safe.
class Nkey {
public:
  static Nkey generate(NkeyKind kind) { return {kind, crypto::Ed25519SigningKey::generate()}; }
  static Nkey from_seed(NkeyKind kind, crypto::Ed25519Seed seed) {
    return {kind, crypto::Ed25519SigningKey(std::move(seed))};
  }
  /// From the text form of its seed: 58 characters that begin with `S` and the kind. INVALID_ARGUMENT as above; the
  /// text is never repeated.
  static Result<Nkey> parse_seed(std::string_view text, NkeyKind kind);

  [[nodiscard]] NkeyKind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& public_text() const noexcept { return public_text_; }
  /// The text form of the seed.
  [[nodiscard]] crypto::SecretBytes seed_text() const;
  [[nodiscard]] crypto::Ed25519Signature sign(BytesView message) const { return key_.sign(message); }

private:
  Nkey(NkeyKind kind, crypto::Ed25519SigningKey key)
      : kind_(kind), key_(std::move(key)), public_text_(public_nkey_text(key_.public_key(), kind)) {}

  NkeyKind kind_;
  crypto::Ed25519SigningKey key_;
  std::string public_text_;
};

/// Base32 (RFC 4648 section 6) without padding.
std::string to_base32(BytesView bytes);

} // namespace tcfdl::message_queue
