// The adapter to libcrypto for the sources of this module: checks, handles, algorithms fetched once.
#pragma once

#include "base/result.hpp"
#include "crypto/openssl_fwd.hpp"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string_view>

namespace tcfdl::crypto {

struct NativeDeleter {
  void operator()(BN_CTX* object) const noexcept { BN_CTX_free(object); }
  void operator()(BN_MONT_CTX* object) const noexcept { BN_MONT_CTX_free(object); }
  void operator()(EC_POINT* object) const noexcept { EC_POINT_clear_free(object); }
  void operator()(EVP_PKEY* object) const noexcept { EVP_PKEY_free(object); }
};

template <class T> using NativePtr = std::unique_ptr<T, NativeDeleter>;

/// Whether a libcrypto function that returns an int succeeded: 1 and nothing else (0 and negatives are failures).
constexpr bool succeeded(int returned) noexcept { return returned == 1; }

/// INTERNAL with `what` and libcrypto's reason unless `returned` is success. Empties the thread's error queue.
Status check(int returned, std::string_view what);

/// Ends the process, naming `what`: for calls that fail only when memory or libcrypto itself is broken.
void require(bool good, std::string_view what) noexcept;
inline void require(int returned, std::string_view what) noexcept { require(succeeded(returned), what); }

/// Passes a new object on; ends the process if there is none.
template <class T> T* require_object(T* object, std::string_view what) noexcept {
  require(object != nullptr, what);
  return object;
}

/// Algorithms of the default provider, fetched once for the process; any thread.
const EVP_MD* sha256_algorithm();
const EVP_MD* sha512_algorithm();
const EVP_CIPHER* aes_128_gcm_algorithm();

} // namespace tcfdl::crypto
