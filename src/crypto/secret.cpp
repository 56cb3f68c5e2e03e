#include "crypto/secret.hpp"

#include <openssl/crypto.h>

namespace tcfdl::crypto {

void wipe(std::span<std::uint8_t> bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

bool equal_constant_time(BytesView left, BytesView right) noexcept {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

} // namespace tcfdl::crypto
