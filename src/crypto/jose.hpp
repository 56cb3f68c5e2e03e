// ES256 of JSON Web Signatures (RFC 7518 section 3.4): ECDSA on P-256 with SHA-256, the signature as r ‖ s.
#pragma once

#include "crypto/signature.hpp"

namespace tcfdl::crypto {

constexpr std::size_t kEs256Size = 64;

/// r ‖ s, 32 bytes each, big endian.
Bytes sign_es256(const SigningKey& key, BytesView message);

/// UNAUTHENTICATED unless `signature` is the key's over `message`; INVALID_ARGUMENT for another size.
Status verify_es256(const VerifyKey& key, BytesView message, BytesView signature);

} // namespace tcfdl::crypto
