// AES-128-GCM with a 12-octet nonce and a 16-octet tag (NIST SP 800-38D).
#pragma once

#include "base/result.hpp"
#include "crypto/openssl_fwd.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::crypto {

constexpr std::size_t kAeadKeySize = 16;
constexpr std::size_t kAeadNonceSize = 12;
constexpr std::size_t kAeadTagSize = 16;
/// The longest message of one call, octets.
constexpr std::size_t kAeadLongest = std::size_t{1} << 30U;

using AeadNonce = std::array<std::uint8_t, kAeadNonceSize>;

/// A key with its schedule computed once. Movable; one thread at a time. The caller never repeats a nonce for sealing.
///
/// Input and output are the same memory (same start) or do not overlap; anything else is INVALID_ARGUMENT, as is an
/// output of the wrong size. Sealed text is the ciphertext followed by the tag.
class AeadKey {
public:
  explicit AeadKey(std::span<const std::uint8_t, kAeadKeySize> key);

  /// Fills `out`, of plaintext.size() + 16 octets.
  Status seal(const AeadNonce& nonce, BytesView aad, BytesView plaintext, std::span<std::uint8_t> out);

  /// Fills `out`, of sealed.size() - 16 octets. UNAUTHENTICATED if key, nonce, associated data or text differ from
  /// what was sealed; `out` is wiped then.
  Status open(const AeadNonce& nonce, BytesView aad, BytesView sealed, std::span<std::uint8_t> out);

  /// Seals all but the last 16 octets of `buffer` where they are; the tag takes those 16.
  Status seal_in_place(const AeadNonce& nonce, BytesView aad, std::span<std::uint8_t> buffer);

  /// Opens `buffer` where it is and returns the part that is the plaintext. Errors as of `open`.
  Result<std::span<std::uint8_t>> open_in_place(const AeadNonce& nonce, BytesView aad, std::span<std::uint8_t> buffer);

private:
  Status start(bool sealing, const AeadNonce& nonce, BytesView aad);

  CipherContextPtr context_;
};

} // namespace tcfdl::crypto
