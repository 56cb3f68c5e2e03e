// Keys from passphrases.
#pragma once

#include "base/result.hpp"
#include "crypto/secret.hpp"

namespace tcfdl::crypto {

/// scrypt's cost (RFC 7914 section 2): 128 · block · 2^log2_cost octets of memory, and time with it.
struct ScryptCost {
  unsigned log2_cost = 17; ///< 1 … 20
  unsigned block = 8;      ///< 1 … 32
  unsigned parallel = 1;   ///< 1 … 16
};

/// `length` octets from a passphrase and a salt (RFC 7914 section 6). INVALID_ARGUMENT for a cost out of bounds,
/// RESOURCE_EXHAUSTED without the memory.
Result<SecretBytes> scrypt(BytesView passphrase, BytesView salt, const ScryptCost& cost, std::size_t length);

} // namespace tcfdl::crypto
