#include "crypto/sha512_256.hpp"

#include "crypto/openssl.hpp"

namespace tcfdl::crypto {

Sha256Digest sha512_256(BytesView message) {
  static const EVP_MD* const kAlgorithm =
      require_object(EVP_MD_fetch(nullptr, "SHA512-256", nullptr), "fetching SHA-512/256");
  Sha256Digest digest{};
  require(EVP_Digest(message.data(), message.size(), digest.data(), nullptr, kAlgorithm, nullptr), "SHA-512/256");
  return digest;
}

} // namespace tcfdl::crypto
