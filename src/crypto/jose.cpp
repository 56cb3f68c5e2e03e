#include "crypto/jose.hpp"

#include "crypto/ecdsa.hpp"
#include "crypto/openssl.hpp"

#include <openssl/ecdsa.h>

namespace tcfdl::crypto {
namespace {

struct DecodedSignatureDeleter {
  void operator()(ECDSA_SIG* object) const noexcept { ECDSA_SIG_free(object); }
};

} // namespace

Bytes sign_es256(const SigningKey& key, BytesView message) {
  constexpr int kHalf = static_cast<int>(kEs256Size / 2);
  const auto der = key.sign(message);
  const auto* in = der.data();
  const std::unique_ptr<ECDSA_SIG, DecodedSignatureDeleter> decoded(
      require_object(d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())), "reading a signature"));
  Bytes r_and_s(kEs256Size);
  require(BN_bn2binpad(ECDSA_SIG_get0_r(decoded.get()), r_and_s.data(), kHalf) == kHalf, "writing r");
  require(BN_bn2binpad(ECDSA_SIG_get0_s(decoded.get()), r_and_s.data() + kHalf, kHalf) == kHalf, "writing s");
  return r_and_s;
}

Status verify_es256(const VerifyKey& key, BytesView message, BytesView signature) {
  return verify_ecdsa(Curve::kP256, key.bytes(), message, signature);
}

} // namespace tcfdl::crypto
