// Bodies in segments that are sealed, sent and opened one by one: the STREAM construction over AES-128-GCM, with the
// segment's number and a last-segment flag in the nonce. A body is cut after 65536 octets, or before where its sender
// does not wait for more.
#pragma once

#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "crypto/proxy_reencryption.hpp"

namespace tcfdl::crypto {

/// Plaintext octets of a segment at most; only the last may have none.
constexpr std::size_t kSegmentSize = 65536;
constexpr std::size_t kSealedSegmentSize = kSegmentSize + kAeadTagSize;
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kNoncePrefixSize = 7;

using Salt = std::array<std::uint8_t, kSaltSize>;

/// How many segments a body of `size` octets has that is there as a whole; an empty body has one.
constexpr std::uint64_t segment_count(std::uint64_t size) noexcept {
  return size == 0 ? 1 : (size - 1) / kSegmentSize + 1;
}

/// The octets of a body of `size` octets once sealed.
constexpr std::uint64_t sealed_size(std::uint64_t size) noexcept { return size + segment_count(size) * kAeadTagSize; }

/// The octets of a sealed body of `size` octets once opened, where its segments are full; 0 for what no body has.
constexpr std::uint64_t opened_size(std::uint64_t size) noexcept {
  return size - std::min(size, (size + kSealedSegmentSize - 1) / kSealedSegmentSize * kAeadTagSize);
}

/// What a capsule's key and padding yield: the key that bodies are sealed from, and a public value that commits to it.
struct CapsuleSecret {
  SecretArray<kAeadKeySize> key;
  Sha256Digest commitment;
};

/// SHA-256(capsule header ‖ EK1).
Sha256Digest capsule_hash(BytesView header, const EncryptedKey& encrypted);

CapsuleSecret derive_capsule_secret(const KeyAndPadding& key_and_padding, const Sha256Digest& hash);

/// UNAUTHENTICATED unless the capsule was made with the secret at hand.
Status check_commitment(const CapsuleSecret& secret, BytesView commitment);

/// The nonces of one stream: prefix (7), number (4, big endian), last flag (1).
class NonceSequence {
public:
  explicit NonceSequence(std::span<const std::uint8_t, kNoncePrefixSize> prefix, std::uint64_t number = 0);

  /// FAILED_PRECONDITION after the last segment, OUT_OF_RANGE after 2³² segments.
  Result<AeadNonce> next(bool last);

  [[nodiscard]] bool finished() const noexcept { return finished_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

private:
  AeadNonce nonce_{};
  std::uint64_t number_;
  bool finished_ = false;
};

/// The key and nonce prefix of one stream = HKDF(capsule key, salt, 'tcfdl/1/' ‖ direction ‖ SHA-256(sealed header)).
struct StreamKeys {
  SecretArray<kAeadKeySize> key;
  std::array<std::uint8_t, kNoncePrefixSize> prefix{};
};

StreamKeys derive_stream_keys(std::span<const std::uint8_t, kAeadKeySize> capsule_key,
                              std::span<const std::uint8_t, kSaltSize> salt, std::string_view direction,
                              BytesView sealed_header);

/// Seals one stream. A salt serves one stream only. Movable; one thread at a time.
class SegmentSealer {
public:
  SegmentSealer(std::span<const std::uint8_t, kAeadKeySize> capsule_key, std::span<const std::uint8_t, kSaltSize> salt,
                std::string_view direction, BytesView sealed_header)
      : SegmentSealer(derive_stream_keys(capsule_key, salt, direction, sealed_header)) {}
  explicit SegmentSealer(const StreamKeys& keys) : key_(keys.key.span()), nonces_(keys.prefix) {}

  /// Writes the next segment to the start of `out` and returns its size, plaintext.size() + 16. `out` may start where
  /// the plaintext does. INVALID_ARGUMENT, and nothing changes, for a segment that is too long, that is empty and not
  /// the last, or for a small `out`; FAILED_PRECONDITION after the last; OUT_OF_RANGE after 2³² segments.
  Result<std::size_t> seal(BytesView plaintext, bool last, std::span<std::uint8_t> out);

  [[nodiscard]] bool finished() const noexcept { return nonces_.finished(); }

private:
  AeadKey key_;
  NonceSequence nonces_;
};

/// Opens one stream, in order. Movable; one thread at a time.
class SegmentOpener {
public:
  SegmentOpener(std::span<const std::uint8_t, kAeadKeySize> capsule_key, std::span<const std::uint8_t, kSaltSize> salt,
                std::string_view direction, BytesView sealed_header)
      : SegmentOpener(derive_stream_keys(capsule_key, salt, direction, sealed_header)) {}
  explicit SegmentOpener(const StreamKeys& keys) : key_(keys.key.span()), nonces_(keys.prefix) {}

  /// Opens the next segment into the start of `out` and returns the plaintext's size. `out` may start where the
  /// ciphertext does. INVALID_ARGUMENT for a size that no such segment has or a small `out`, UNAUTHENTICATED for a
  /// segment that is forged, out of order, of another stream or wrongly said to be the last (or not): the stream is
  /// over then, and `out` is wiped. FAILED_PRECONDITION after the last segment or after such a failure.
  Result<std::size_t> open(BytesView ciphertext, bool last, std::span<std::uint8_t> out);

  [[nodiscard]] bool finished() const noexcept { return nonces_.finished() && !failed_; }

  /// UNAUTHENTICATED unless the last segment was opened: the stream was cut short.
  [[nodiscard]] Status finish() const;

private:
  AeadKey key_;
  NonceSequence nonces_;
  bool failed_ = false;
};

} // namespace tcfdl::crypto
