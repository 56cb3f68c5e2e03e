#include "crypto/ecdsa.hpp"

#include "crypto/openssl.hpp"

#include <array>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

namespace tcfdl::crypto {
namespace {

struct SignatureDeleter {
  void operator()(ECDSA_SIG* object) const noexcept { ECDSA_SIG_free(object); }
};

NativePtr<EVP_PKEY> public_key(Curve curve, BytesView point) {
  std::string name = curve == Curve::kP256 ? "P-256" : "P-384";
  Bytes encoded(point.begin(), point.end());
  std::array<OSSL_PARAM, 3> params{
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name.data(), name.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size()),
      OSSL_PARAM_construct_end()};
  const KeyContextPtr context(require_object(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), "a key context"));
  require(EVP_PKEY_fromdata_init(context.get()), "making an EC key");
  EVP_PKEY* key = nullptr;
  if (!succeeded(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.data()))) ERR_clear_error();
  return NativePtr<EVP_PKEY>(key);
}

BignumPtr number_of(BytesView bytes) {
  return BignumPtr(
      require_object(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), "reading a number"));
}

/// The DER form of a signature, which libcrypto takes.
Bytes der_of(BytesView r_and_s) {
  const std::unique_ptr<ECDSA_SIG, SignatureDeleter> signature(require_object(ECDSA_SIG_new(), "a signature"));
  auto r = number_of(r_and_s.first(r_and_s.size() / 2));
  auto s = number_of(r_and_s.last(r_and_s.size() / 2));
  require(ECDSA_SIG_set0(signature.get(), r.release(), s.release()), "a signature");
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  require(size > 0, "encoding a signature");
  Bytes der(static_cast<std::size_t>(size));
  auto* out = der.data();
  require(i2d_ECDSA_SIG(signature.get(), &out) == size, "encoding a signature");
  return der;
}

} // namespace

Status verify_ecdsa(Curve curve, BytesView point, BytesView message, BytesView r_and_s) {
  const auto size = coordinate_size(curve);
  if (point.size() != 1 + 2 * size || point[0] != POINT_CONVERSION_UNCOMPRESSED) {
    return make_error(Code::kInvalidArgument, "the key is no uncompressed point of {} bytes", 1 + 2 * size);
  }
  if (r_and_s.size() != 2 * size) {
    return make_error(Code::kInvalidArgument, "the signature has {} bytes, not {}", r_and_s.size(), 2 * size);
  }
  const auto key = public_key(curve, point);
  if (!key) return Error(Code::kInvalidArgument, "the key is no point of its curve");
  const auto der = der_of(r_and_s);
  const DigestContextPtr context(require_object(EVP_MD_CTX_new(), "a digest context"));
  const char* digest = curve == Curve::kP256 ? "SHA256" : "SHA384";
  require(EVP_DigestVerifyInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key.get(), nullptr), "ECDSA");
  if (succeeded(EVP_DigestVerify(context.get(), der.data(), der.size(), message.data(), message.size()))) return {};
  ERR_clear_error();
  return Error(Code::kUnauthenticated, "the signature is not one of this key over this message");
}

} // namespace tcfdl::crypto
