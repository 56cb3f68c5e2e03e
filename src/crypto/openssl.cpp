#include "crypto/openssl.hpp"

#include <cstdio>
#include <cstdlib>
#include <openssl/err.h>

namespace tcfdl::crypto {

void OpensslDeleter::operator()(bignum_st* object) const noexcept { BN_clear_free(object); }
void OpensslDeleter::operator()(evp_cipher_ctx_st* object) const noexcept { EVP_CIPHER_CTX_free(object); }
void OpensslDeleter::operator()(evp_md_ctx_st* object) const noexcept { EVP_MD_CTX_free(object); }
void OpensslDeleter::operator()(evp_pkey_ctx_st* object) const noexcept { EVP_PKEY_CTX_free(object); }

Status check(int returned, std::string_view what) {
  if (succeeded(returned)) return {};
  const char* reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return make_error(Code::kInternal, "{} failed in libcrypto: {}", what,
                    reason != nullptr ? reason : "no reason given");
}

void require(bool good, std::string_view what) noexcept {
  if (good) return;
  const char* reason = ERR_reason_error_string(ERR_get_error());
  std::fprintf(stderr, "fatal: %.*s failed in libcrypto: %s\n", static_cast<int>(what.size()), what.data(),
               reason != nullptr ? reason : "no reason given");
  std::abort();
}

const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const kAlgorithm = require_object(EVP_MD_fetch(nullptr, "SHA256", nullptr), "fetching SHA-256");
  return kAlgorithm;
}

const EVP_MD* sha512_algorithm() {
  static const EVP_MD* const kAlgorithm = require_object(EVP_MD_fetch(nullptr, "SHA512", nullptr), "fetching SHA-512");
  return kAlgorithm;
}

const EVP_CIPHER* aes_128_gcm_algorithm() {
  static const EVP_CIPHER* const kAlgorithm =
      require_object(EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr), "fetching AES-128-GCM");
  return kAlgorithm;
}

} // namespace tcfdl::crypto
