#include "message_queue/nkey.hpp"

namespace tcfdl::message_queue {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr unsigned kSeedPrefix = 18U << 3U; // 'S'
constexpr std::size_t kChecksumSize = 2;
constexpr std::size_t kPublicSize = 1 + crypto::kEd25519KeySize + kChecksumSize;
constexpr std::size_t kSeedSize = 2 + crypto::kEd25519KeySize + kChecksumSize;

/// The octet whose base32 begins with the kind's letter.
unsigned prefix_of(NkeyKind kind) {
  switch (kind) {
  case NkeyKind::kOperator: return 14U << 3U;
  case NkeyKind::kAccount: return 0;
  case NkeyKind::kUser: return 20U << 3U;
  case NkeyKind::kServer: return 13U << 3U;
  }
  return 0;
}

std::string_view name_of(NkeyKind kind) {
  switch (kind) {
  case NkeyKind::kOperator: return "operator";
  case NkeyKind::kAccount: return "account";
  case NkeyKind::kUser: return "user";
  case NkeyKind::kServer: return "server";
  }
  return "unknown";
}

/// CRC-16/XMODEM: polynomial 0x1021, initial value 0, nothing reflected.
std::uint16_t checksum(BytesView bytes) {
  std::uint16_t crc = 0;
  for (const auto byte : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ (byte << 8U));
    for (int bit = 0; bit < 8; ++bit) {
      const bool high = (crc & 0x8000U) != 0;
      crc = static_cast<std::uint16_t>(crc << 1U);
      if (high) crc ^= 0x1021U;
    }
  }
  return crc;
}

/// Appends the check sum, little endian, in the last two octets.
void finish(std::span<std::uint8_t> raw) {
  const auto crc = checksum(raw.first(raw.size() - kChecksumSize));
  raw[raw.size() - 2] = static_cast<std::uint8_t>(crc & 0xFFU);
  raw[raw.size() - 1] = static_cast<std::uint8_t>(crc >> 8U);
}

template <class Put> void encode_base32(BytesView bytes, Put put) {
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const auto byte : bytes) {
    buffer = (buffer << 8U) | byte;
    for (bits += 8; bits >= 5;) {
      bits -= 5;
      put(kAlphabet[(buffer >> bits) & 0x1FU]);
    }
  }
  if (bits > 0) put(kAlphabet[(buffer << (5 - bits)) & 0x1FU]);
}

constexpr std::size_t encoded_size(std::size_t size) { return (size * 8 + 4) / 5; }

/// Fills `raw` from exactly as much text; false for a character outside the alphabet or trailing bits.
bool decode_base32(std::string_view text, std::span<std::uint8_t> raw) {
  if (text.size() != encoded_size(raw.size())) return false;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  auto out = raw.begin();
  for (const char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    buffer = (buffer << 5U) | static_cast<std::uint32_t>(value);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    *out++ = static_cast<std::uint8_t>(buffer >> bits);
    buffer &= (1U << bits) - 1U;
  }
  return buffer == 0;
}

/// Base32, check sum.
bool decode(std::string_view text, std::span<std::uint8_t> raw) {
  if (!decode_base32(text, raw)) return false;
  const auto crc = checksum(raw.first(raw.size() - kChecksumSize));
  return raw[raw.size() - 2] == (crc & 0xFFU) && raw[raw.size() - 1] == (crc >> 8U);
}

} // namespace

std::string to_base32(BytesView bytes) {
  std::string text;
  text.reserve(encoded_size(bytes.size()));
  encode_base32(bytes, [&](char c) { text += c; });
  return text;
}

Result<crypto::Ed25519PublicKey> parse_public_nkey(std::string_view text, NkeyKind kind) {
  std::array<std::uint8_t, kPublicSize> raw{};
  if (!decode(text, raw) || raw[0] != prefix_of(kind)) {
    return make_error(Code::kInvalidArgument, "this is no public NATS key of kind {}", name_of(kind));
  }
  crypto::Ed25519PublicKey key{};
  std::ranges::copy(std::span(raw).subspan<1, crypto::kEd25519KeySize>(), key.begin());
  return key;
}

std::string public_nkey_text(const crypto::Ed25519PublicKey& key, NkeyKind kind) {
  std::array<std::uint8_t, kPublicSize> raw{};
  raw[0] = static_cast<std::uint8_t>(prefix_of(kind));
  std::ranges::copy(key, raw.begin() + 1);
  finish(raw);
  return to_base32(raw);
}

Result<Nkey> Nkey::parse_seed(std::string_view text, NkeyKind kind) {
  crypto::SecretArray<kSeedSize> raw;
  const auto bytes = raw.span();
  if (!decode(text, bytes) || bytes[0] != (kSeedPrefix | prefix_of(kind) >> 5U) ||
      bytes[1] != ((prefix_of(kind) & 31U) << 3U)) {
    return make_error(Code::kInvalidArgument, "this is no seed of a NATS key of kind {}", name_of(kind));
  }
  return from_seed(kind, crypto::Ed25519Seed::copy_of(bytes.subspan<2, crypto::kEd25519KeySize>()));
}

crypto::SecretBytes Nkey::seed_text() const {
  crypto::SecretArray<kSeedSize> raw;
  const auto bytes = raw.span();
  bytes[0] = static_cast<std::uint8_t>(kSeedPrefix | prefix_of(kind_) >> 5U);
  bytes[1] = static_cast<std::uint8_t>((prefix_of(kind_) & 31U) << 3U);
  std::ranges::copy(key_.seed().span(), bytes.begin() + 2);
  finish(bytes);
  crypto::SecretBytes text(encoded_size(kSeedSize));
  auto* out = text.data();
  encode_base32(bytes, [&](char c) { *out++ = static_cast<std::uint8_t>(c); });
  return text;
}

} // namespace tcfdl::message_queue
