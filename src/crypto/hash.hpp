// SHA-2 (FIPS 180-4), HMAC (RFC 2104) and HKDF (RFC 5869). Every function is thread-safe.
#pragma once

#include "crypto/openssl_fwd.hpp"
#include "crypto/secret.hpp"

#include <initializer_list>

namespace tcfdl::crypto {

constexpr std::size_t kSha256Size = 32;
constexpr std::size_t kSha512Size = 64;
/// The most that one HKDF-SHA256 yields (RFC 5869 section 2.3), octets.
constexpr std::size_t kHkdfLongest = 255 * kSha256Size;

using Sha256Digest = std::array<std::uint8_t, kSha256Size>;
using Sha512Digest = std::array<std::uint8_t, kSha512Size>;

/// Octets given in parts that count as their concatenation.
using Parts = std::initializer_list<BytesView>;

Sha256Digest sha256(BytesView message);
Sha256Digest sha256(Parts message);
Sha512Digest sha512(BytesView message);

/// SHA-256 of a message that arrives in pieces. Movable; one thread at a time; spent after `finish()`.
class Sha256 {
public:
  Sha256();
  void update(BytesView piece);
  [[nodiscard]] Sha256Digest finish();

private:
  DigestContextPtr context_;
};

Sha256Digest hmac_sha256(BytesView key, BytesView message);
Sha256Digest hmac_sha256(BytesView key, Parts message);

/// HKDF-Extract: an empty salt counts as 32 zero octets.
SecretArray<kSha256Size> hkdf_extract(BytesView salt, Parts ikm);

/// HKDF-Expand into all of `out`. Ends the process for more than `kHkdfLongest` octets.
void hkdf_expand_into(BytesView prk, Parts info, std::span<std::uint8_t> out);
SecretBytes hkdf_expand(BytesView prk, Parts info, std::size_t length);

/// Extract and expand.
SecretBytes hkdf_sha256(BytesView ikm, BytesView salt, BytesView info, std::size_t length);

} // namespace tcfdl::crypto
