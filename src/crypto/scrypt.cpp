#include "crypto/scrypt.hpp"

#include "crypto/openssl.hpp"

#include <array>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace tcfdl::crypto {
namespace {

struct KdfDeleter {
  void operator()(EVP_KDF* object) const noexcept { EVP_KDF_free(object); }
  void operator()(EVP_KDF_CTX* object) const noexcept { EVP_KDF_CTX_free(object); }
};

/// libcrypto reads parameters, though its type would let it write.
OSSL_PARAM octets(const char* name, BytesView bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
}

} // namespace

Result<SecretBytes> scrypt(BytesView passphrase, BytesView salt, const ScryptCost& cost, std::size_t length) {
  const bool bounded = cost.log2_cost >= 1 && cost.log2_cost <= 20 && cost.block >= 1 && cost.block <= 32 &&
                       cost.parallel >= 1 && cost.parallel <= 16;
  if (!bounded) return Error(Code::kInvalidArgument, "scrypt with a cost out of bounds");
  const std::unique_ptr<EVP_KDF, KdfDeleter> kdf(require_object(EVP_KDF_fetch(nullptr, "SCRYPT", nullptr), "scrypt"));
  const std::unique_ptr<EVP_KDF_CTX, KdfDeleter> context(require_object(EVP_KDF_CTX_new(kdf.get()), "a context"));
  std::uint64_t n = std::uint64_t{1} << cost.log2_cost;
  std::uint32_t r = cost.block;
  std::uint32_t p = cost.parallel;
  std::uint64_t memory = std::uint64_t{128} * r * (n + p + 2);
  const std::array<OSSL_PARAM, 7> parameters{octets(OSSL_KDF_PARAM_PASSWORD, passphrase),
                                             octets(OSSL_KDF_PARAM_SALT, salt),
                                             OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
                                             OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
                                             OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
                                             OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                                             OSSL_PARAM_construct_end()};
  SecretBytes key(length);
  if (const auto derived = check(EVP_KDF_derive(context.get(), key.data(), key.size(), parameters.data()), "scrypt");
      !derived) {
    return make_error(Code::kResourceExhausted, "{}; it needs {} MiB of memory", derived.error().message(),
                      memory >> 20U);
  }
  return key;
}

} // namespace tcfdl::crypto
