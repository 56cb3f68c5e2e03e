#include "crypto/hpke.hpp"

#include "crypto/aead.hpp"
#include "crypto/hash.hpp"

namespace tcfdl::crypto {
namespace {

using namespace std::string_view_literals;

// "KEM" and "HPKE" with the numbers of the algorithms (RFC 9180 sections 4.1 and 5.1).
constexpr auto kKemSuite = "KEM\x00\x10"sv;
constexpr auto kHpkeSuite = "HPKE\x00\x10\x00\x01\x00\x01"sv;
constexpr auto kVersion = "HPKE-v1"sv;
constexpr std::uint8_t kBaseMode = 0;
constexpr std::size_t kShortestIkm = 32;

struct Context {
  SecretArray<kAeadKeySize> key;
  AeadNonce nonce{};
};

SecretArray<kSha256Size> labeled_extract(std::string_view suite, BytesView salt, std::string_view label,
                                         BytesView ikm) {
  return hkdf_extract(salt, {as_bytes(kVersion), as_bytes(suite), as_bytes(label), ikm});
}

void labeled_expand(std::string_view suite, BytesView prk, std::string_view label, BytesView info,
                    std::span<std::uint8_t> out) {
  const std::array<std::uint8_t, 2> length{static_cast<std::uint8_t>(out.size() >> 8U),
                                           static_cast<std::uint8_t>(out.size() & 0xFFU)};
  hkdf_expand_into(prk, {length, as_bytes(kVersion), as_bytes(suite), as_bytes(label), info}, out);
}

/// ExtractAndExpand over the x coordinate of the shared point; the context is both public keys.
SecretArray<kSha256Size> shared_secret(const Point& theirs, const Scalar& ours, const Point& encapsulated,
                                       const Point& recipient) {
  const auto shared = secret_times(theirs, ours);
  const auto prk = labeled_extract(kKemSuite, {}, "eae_prk", shared.span().subspan(1, kScalarSize));
  Bytes context(encapsulated.bytes().begin(), encapsulated.bytes().end());
  context.insert(context.end(), recipient.bytes().begin(), recipient.bytes().end());
  SecretArray<kSha256Size> secret;
  labeled_expand(kKemSuite, prk.span(), "shared_secret", context, secret.span());
  return secret;
}

/// KeySchedule of the base mode, without the exporter.
Context key_schedule(const SecretArray<kSha256Size>& secret, BytesView info) {
  const auto psk_id_hash = labeled_extract(kHpkeSuite, {}, "psk_id_hash", {});
  const auto info_hash = labeled_extract(kHpkeSuite, {}, "info_hash", info);
  Bytes schedule{kBaseMode};
  for (const auto& hash : {psk_id_hash.span(), info_hash.span()}) {
    schedule.insert(schedule.end(), hash.begin(), hash.end());
  }
  const auto prk = labeled_extract(kHpkeSuite, secret.span(), "secret", {});
  Context context;
  labeled_expand(kHpkeSuite, prk.span(), "key", schedule, context.key.span());
  labeled_expand(kHpkeSuite, prk.span(), "base_nonce", schedule, context.nonce);
  return context;
}

} // namespace

HpkePrivateKey HpkePrivateKey::generate() { return HpkePrivateKey(Scalar::random()); }

Result<HpkePrivateKey> HpkePrivateKey::from_bytes(BytesView bytes) {
  TCFDL_ASSIGN(auto scalar, Scalar::from_bytes(bytes));
  return HpkePrivateKey(std::move(scalar));
}

Result<HpkePrivateKey> HpkePrivateKey::derive(BytesView ikm) {
  if (ikm.size() < kShortestIkm) {
    return make_error(Code::kInvalidArgument, "a key is derived from at least {} octets, not {}", kShortestIkm,
                      ikm.size());
  }
  const auto prk = labeled_extract(kKemSuite, {}, "dkp_prk", ikm);
  SecretArray<kScalarSize> candidate;
  for (unsigned counter = 0; counter <= 0xFFU; ++counter) {
    const auto octet = static_cast<std::uint8_t>(counter);
    labeled_expand(kKemSuite, prk.span(), "candidate", BytesView(&octet, 1), candidate.span());
    if (auto scalar = Scalar::from_bytes(candidate.span())) return HpkePrivateKey(*std::move(scalar));
  }
  return Error(Code::kInternal, "no candidate of 256 was a scalar");
}

Result<Bytes> hpke_seal(BytesView recipient_public, BytesView info, BytesView aad, BytesView plaintext) {
  return internal::hpke_seal_with(HpkePrivateKey::generate(), recipient_public, info, aad, plaintext);
}

Result<Bytes> internal::hpke_seal_with(const HpkePrivateKey& ephemeral, BytesView recipient_public, BytesView info,
                                       BytesView aad, BytesView plaintext) {
  TCFDL_ASSIGN(const auto recipient, Point::from_bytes(recipient_public));
  const auto& encapsulated = ephemeral.public_key();
  const auto context = key_schedule(shared_secret(recipient, ephemeral.scalar(), encapsulated, recipient), info);
  Bytes sealed(kHpkeOverhead + plaintext.size());
  std::ranges::copy(encapsulated.bytes(), sealed.begin());
  TCFDL_TRY(AeadKey(context.key.span()).seal(context.nonce, aad, plaintext, std::span(sealed).subspan(kPointSize)));
  return sealed;
}

Result<SecretBytes> hpke_open(const HpkePrivateKey& recipient, BytesView info, BytesView aad, BytesView sealed) {
  if (sealed.size() < kHpkeOverhead) {
    return make_error(Code::kInvalidArgument, "an HPKE text has at least {} octets, this one {}", kHpkeOverhead,
                      sealed.size());
  }
  TCFDL_ASSIGN(const auto encapsulated, Point::from_bytes(sealed.first(kPointSize)));
  const auto context =
      key_schedule(shared_secret(encapsulated, recipient.scalar(), encapsulated, recipient.public_key()), info);
  SecretBytes plaintext(sealed.size() - kHpkeOverhead);
  TCFDL_TRY(AeadKey(context.key.span()).open(context.nonce, aad, sealed.subspan(kPointSize), plaintext.span()));
  return plaintext;
}

} // namespace tcfdl::crypto
