// SHA-512/256 (FIPS 180-4 section 5.3.6.2): SHA-512 with other initial values, cut to 256 bits.
#pragma once

#include "crypto/hash.hpp"

namespace tcfdl::crypto {

/// Any thread.
Sha256Digest sha512_256(BytesView message);

} // namespace tcfdl::crypto
