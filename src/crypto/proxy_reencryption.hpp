// Proxy re-encryption of data keys: equations (1) to (5) of the paper's section 3.2, on P-256, with a derived key where
// the paper has the bare point. `x` is a holder's secret, `f` the function's; a proxy holds quotients of them only.
#pragma once

#include "crypto/p256.hpp"

namespace tcfdl::crypto {

constexpr std::size_t kKeyAndPaddingSize = 32;

/// A 16-octet key followed by 16 octets of padding, both random.
using KeyAndPadding = SecretArray<kKeyAndPaddingSize>;

/// (Key ‖ Padding) as encrypted to the holder of some x. Re-encryption replaces `ek2` and leaves `ek1`.
struct EncryptedKey {
  std::array<std::uint8_t, kKeyAndPaddingSize> ek1;
  Point ek2;
};

/// to/from: RK(i→f) = f/x_i and RK(f→j) = x_j/f. Who holds `from` and the quotient knows `to`.
Scalar reencryption_key(const Scalar& from, const Scalar& to);

/// EK1 = (Key ‖ Padding) ⊕ KDF(r·P), EK2 = r·x·P for a fresh random r. The KDF binds `header`.
EncryptedKey encrypt(const Scalar& x, const KeyAndPadding& key_and_padding, BytesView header);

/// The same for a fresh random key, which is returned too.
std::pair<EncryptedKey, KeyAndPadding> encrypt(const Scalar& x, BytesView header);

/// EK2' = RK·EK2: one multiplication on the curve.
Point reencrypt(const Scalar& reencryption_key, const Point& ek2);

/// x in the form that decryption needs, its inverse. Move-only; thread-safe.
class DecryptionKey {
public:
  explicit DecryptionKey(const Scalar& x) : inverse_(x.inverse()) {}
  [[nodiscard]] const Scalar& inverse() const noexcept { return inverse_; }

private:
  Scalar inverse_;
};

/// Key ‖ Padding = EK1 ⊕ KDF(x⁻¹·EK2). A wrong key, EK2 or header gives another random-looking value and no error:
/// compare the capsule's commitment before use.
KeyAndPadding decrypt(const DecryptionKey& key, const EncryptedKey& encrypted, BytesView header);
KeyAndPadding decrypt(const Scalar& x, const EncryptedKey& encrypted, BytesView header);

} // namespace tcfdl::crypto
