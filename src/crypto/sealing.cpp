#include "crypto/sealing.hpp"

namespace tcfdl::crypto {
namespace {

constexpr std::uint64_t kMostSegments = std::uint64_t{1} << 32U;
constexpr std::size_t kFlagAt = kAeadNonceSize - 1;

/// `size`: octets of plaintext.
Status check_segment(std::size_t size, bool last, std::size_t room, std::size_t needed) {
  if (size > kSegmentSize || (!last && size == 0)) {
    return make_error(Code::kInvalidArgument, "a segment of {} octets, where {}", size,
                      size == 0 ? "only the last may be empty" : "65536 are the most");
  }
  if (room < needed) {
    return make_error(Code::kInvalidArgument, "room for {} octets where {} are needed", room, needed);
  }
  return {};
}

} // namespace

Sha256Digest capsule_hash(BytesView header, const EncryptedKey& encrypted) { return sha256({header, encrypted.ek1}); }

CapsuleSecret derive_capsule_secret(const KeyAndPadding& key_and_padding, const Sha256Digest& hash) {
  const auto prk = hkdf_extract({}, {key_and_padding.span()});
  CapsuleSecret secret{{}, {}};
  hkdf_expand_into(prk.span(), {as_bytes("tcfdl/1/capsule-key"), hash}, secret.key.span());
  hkdf_expand_into(prk.span(), {as_bytes("tcfdl/1/capsule-commitment"), hash}, secret.commitment);
  return secret;
}

Status check_commitment(const CapsuleSecret& secret, BytesView commitment) {
  if (equal_constant_time(secret.commitment, commitment)) return {};
  return Error(Code::kUnauthenticated,
               "the capsule's commitment does not match: it was made for another key or header");
}

StreamKeys derive_stream_keys(std::span<const std::uint8_t, kAeadKeySize> capsule_key,
                              std::span<const std::uint8_t, kSaltSize> salt, std::string_view direction,
                              BytesView sealed_header) {
  const auto header_hash = sha256(sealed_header);
  const auto derived =
      hkdf_expand(hkdf_extract(salt, {capsule_key}).span(), {as_bytes("tcfdl/1/"), as_bytes(direction), header_hash},
                  kAeadKeySize + kNoncePrefixSize);
  StreamKeys keys;
  std::ranges::copy(derived.span().first(kAeadKeySize), keys.key.data());
  std::ranges::copy(derived.span().last(kNoncePrefixSize), keys.prefix.begin());
  return keys;
}

NonceSequence::NonceSequence(std::span<const std::uint8_t, kNoncePrefixSize> prefix, std::uint64_t number)
    : number_(number) {
  std::ranges::copy(prefix, nonce_.begin());
}

Result<AeadNonce> NonceSequence::next(bool last) {
  if (finished_) return Error(Code::kFailedPrecondition, "the stream has had its last segment");
  if (number_ >= kMostSegments) return Error(Code::kOutOfRange, "a stream has at most 2^32 segments");
  for (unsigned i = 0; i < 4; ++i) {
    nonce_[kNoncePrefixSize + i] = static_cast<std::uint8_t>(number_ >> (24U - 8U * i));
  }
  nonce_[kFlagAt] = last ? 1 : 0;
  ++number_;
  finished_ = last;
  return nonce_;
}

Result<std::size_t> SegmentSealer::seal(BytesView plaintext, bool last, std::span<std::uint8_t> out) {
  const auto size = plaintext.size() + kAeadTagSize;
  TCFDL_TRY(check_segment(plaintext.size(), last, out.size(), size));
  TCFDL_ASSIGN(const auto nonce, nonces_.next(last));
  TCFDL_TRY(key_.seal(nonce, {}, plaintext, out.first(size)));
  return size;
}

Result<std::size_t> SegmentOpener::open(BytesView ciphertext, bool last, std::span<std::uint8_t> out) {
  if (failed_) return Error(Code::kFailedPrecondition, "the stream had a segment that did not verify");
  if (ciphertext.size() < kAeadTagSize) {
    return make_error(Code::kInvalidArgument, "a segment of {} octets has no room for a tag", ciphertext.size());
  }
  const auto size = ciphertext.size() - kAeadTagSize;
  TCFDL_TRY(check_segment(size, last, out.size(), size));
  TCFDL_ASSIGN(const auto nonce, nonces_.next(last));
  if (auto opened = key_.open(nonce, {}, ciphertext, out.first(size)); !opened) {
    failed_ = true;
    return opened.error().within(fmt::format("segment {}", nonces_.number() - 1));
  }
  return size;
}

Status SegmentOpener::finish() const {
  if (finished()) return {};
  return make_error(Code::kUnauthenticated, "the stream was cut short after {} segments", nonces_.number());
}

} // namespace tcfdl::crypto
