#include "crypto/proxy_reencryption.hpp"

#include "crypto/hash.hpp"
#include "crypto/random.hpp"

namespace tcfdl::crypto {
namespace {

KeyAndPadding derive_mask(const SecretPoint& point, BytesView header) {
  KeyAndPadding mask;
  hkdf_expand_into(hkdf_extract({}, {point.span()}).span(), {as_bytes("tcfdl/1/kdf"), header}, mask.span());
  return mask;
}

void combine(BytesView left, BytesView right, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = left[i] ^ right[i];
}

} // namespace

Scalar reencryption_key(const Scalar& from, const Scalar& to) { return to * from.inverse(); }

EncryptedKey encrypt(const Scalar& x, const KeyAndPadding& key_and_padding, BytesView header) {
  const auto r = Scalar::random();
  EncryptedKey encrypted{{}, Point::generator_times(r * x)};
  combine(key_and_padding.span(), derive_mask(secret_generator_times(r), header).span(), encrypted.ek1);
  return encrypted;
}

std::pair<EncryptedKey, KeyAndPadding> encrypt(const Scalar& x, BytesView header) {
  auto key_and_padding = random_secret<kKeyAndPaddingSize>();
  auto encrypted = encrypt(x, key_and_padding, header);
  return {encrypted, std::move(key_and_padding)};
}

Point reencrypt(const Scalar& reencryption_key, const Point& ek2) { return ek2.times(reencryption_key); }

KeyAndPadding decrypt(const DecryptionKey& key, const EncryptedKey& encrypted, BytesView header) {
  KeyAndPadding key_and_padding;
  combine(encrypted.ek1, derive_mask(secret_times(encrypted.ek2, key.inverse()), header).span(),
          key_and_padding.span());
  return key_and_padding;
}

KeyAndPadding decrypt(const Scalar& x, const EncryptedKey& encrypted, BytesView header) {
  return decrypt(DecryptionKey(x), encrypted, header);
}

} // namespace tcfdl::crypto
