// libcrypto's form of signing keys; for the sources of this module only.
#pragma once

#include "crypto/openssl.hpp"
#include "crypto/p256.hpp"

namespace tcfdl::crypto {

/// A P-256 key; `scalar` is null for a public one.
NativePtr<EVP_PKEY> native_key(const Point& point, const Scalar* scalar);

} // namespace tcfdl::crypto
