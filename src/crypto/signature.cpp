#include "crypto/signature.hpp"

#include "crypto/hash.hpp"
#include "crypto/signature_native.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

namespace tcfdl::crypto {

NativePtr<EVP_PKEY> native_key(const Point& point, const Scalar* scalar) {
  std::string curve = "P-256";
  std::array<std::uint8_t, kPointSize> encoded{};
  std::ranges::copy(point.bytes(), encoded.begin());
  SecretArray<kScalarSize> number;
  std::array<OSSL_PARAM, 4> params{};
  auto next = params.begin();
  *next++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve.data(), curve.size());
  *next++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size());
  if (scalar != nullptr) {
    require(BN_bn2nativepad(scalar->native(), number.data(), static_cast<int>(number.size())) > 0, "writing a number");
    *next++ = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number.data(), number.size());
  }
  *next = OSSL_PARAM_construct_end();
  const KeyContextPtr context(require_object(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), "a key context"));
  EVP_PKEY* key = nullptr;
  require(EVP_PKEY_fromdata_init(context.get()), "making an EC key");
  require(
      EVP_PKEY_fromdata(context.get(), &key, scalar != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params.data()),
      "making an EC key");
  return NativePtr<EVP_PKEY>(key);
}

namespace {

/// A context that holds the key and has its algorithm looked up; each operation works on a copy of it.
KeyContextPtr prepared(const NativePtr<EVP_PKEY>& key, int (*init)(EVP_PKEY_CTX*)) {
  KeyContextPtr context(require_object(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr), "a key context"));
  require(init(context.get()), "preparing ECDSA");
  return context;
}

KeyContextPtr copy_of(const EVP_PKEY_CTX* context) {
  return KeyContextPtr(require_object(EVP_PKEY_CTX_dup(context), "a key context"));
}

} // namespace

VerifyKey::VerifyKey(const Point& point)
    : point_(point), verifier_(prepared(native_key(point, nullptr), EVP_PKEY_verify_init)) {}

Result<VerifyKey> VerifyKey::from_bytes(BytesView bytes) {
  TCFDL_ASSIGN(const auto point, Point::from_bytes(bytes));
  return VerifyKey(point);
}

Status VerifyKey::verify(BytesView message, BytesView signature) const {
  const auto digest = sha256(message);
  const auto context = copy_of(verifier_.get());
  if (succeeded(EVP_PKEY_verify(context.get(), signature.data(), signature.size(), digest.data(), digest.size()))) {
    return {};
  }
  ERR_clear_error();
  return Error(Code::kUnauthenticated, "the signature is not one of this key over this message");
}

SigningKey::SigningKey(Scalar scalar)
    : scalar_(std::move(scalar)), public_key_(Point::generator_times(scalar_)),
      signer_(prepared(native_key(public_key_.point(), &scalar_), EVP_PKEY_sign_init)) {}

SigningKey SigningKey::generate() { return SigningKey(Scalar::random()); }

Result<SigningKey> SigningKey::from_private_bytes(BytesView bytes) {
  TCFDL_ASSIGN(auto scalar, Scalar::from_bytes(bytes));
  return SigningKey(std::move(scalar));
}

Bytes SigningKey::sign(BytesView message) const {
  const auto digest = sha256(message);
  const auto context = copy_of(signer_.get());
  constexpr std::size_t kLongest = 72;
  Bytes signature(kLongest);
  std::size_t size = signature.size();
  require(EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()), "signing");
  signature.resize(size);
  return signature;
}

} // namespace tcfdl::crypto
