#include "crypto/fingerprint.hpp"

#include "crypto/openssl.hpp"

#include <algorithm>

namespace tcfdl::crypto {

Fingerprint Fingerprints::of(BytesView body) const {
  constexpr std::size_t kPiece = std::size_t{1} << 30U; // libcrypto counts in int
  const CipherContextPtr context(require_object(EVP_CIPHER_CTX_new(), "a cipher context"));
  const AeadNonce nonce{};
  require(EVP_CipherInit_ex2(context.get(), aes_128_gcm_algorithm(), key_.span().data(), nonce.data(), 1, nullptr),
          "setting a GMAC key");
  int written = 0;
  while (!body.empty()) {
    const auto piece = body.first(std::min(body.size(), kPiece));
    require(EVP_CipherUpdate(context.get(), nullptr, &written, piece.data(), static_cast<int>(piece.size())), "GMAC");
    body = body.subspan(piece.size());
  }
  Fingerprint result{};
  require(EVP_CipherFinal_ex(context.get(), result.data(), &written), "GMAC");
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(result.size()), result.data()),
          "a GMAC tag");
  return result;
}

} // namespace tcfdl::crypto
