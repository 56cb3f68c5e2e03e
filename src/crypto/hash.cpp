#include "crypto/hash.hpp"

#include "crypto/openssl.hpp"

namespace tcfdl::crypto {
namespace {

constexpr std::size_t kBlockSize = 64;
constexpr std::uint8_t kInnerPad = 0x36;
constexpr std::uint8_t kOuterPad = 0x5C;

/// A keyed HMAC whose result stays in a wiping type. Made for one message.
class Hmac {
public:
  explicit Hmac(BytesView key) {
    if (key.size() > kBlockSize) {
      auto digest = sha256(key);
      std::ranges::copy(digest, block_.data());
      wipe(digest);
    } else {
      std::ranges::copy(key, block_.data());
    }
    flip(kInnerPad);
    inner_.update(block_.span());
  }

  void update(Parts parts) {
    for (const auto part : parts) inner_.update(part);
  }

  void finish(std::span<std::uint8_t, kSha256Size> out) {
    flip(kInnerPad ^ kOuterPad);
    auto digest = inner_.finish();
    Sha256 outer;
    outer.update(block_.span());
    outer.update(digest);
    digest = outer.finish();
    std::ranges::copy(digest, out.begin());
    wipe(digest);
  }

private:
  void flip(std::uint8_t pad) {
    for (auto& byte : block_.span()) byte ^= pad;
  }

  SecretArray<kBlockSize> block_;
  Sha256 inner_;
};

void hmac_into(BytesView key, Parts message, std::span<std::uint8_t, kSha256Size> out) {
  Hmac hmac(key);
  hmac.update(message);
  hmac.finish(out);
}

} // namespace

Sha256Digest sha256(BytesView message) { return sha256(Parts{message}); }

Sha256Digest sha256(Parts message) {
  Sha256 hash;
  for (const auto part : message) hash.update(part);
  return hash.finish();
}

Sha512Digest sha512(BytesView message) {
  Sha512Digest digest{};
  unsigned size = 0;
  require(EVP_Digest(message.data(), message.size(), digest.data(), &size, sha512_algorithm(), nullptr), "SHA-512");
  return digest;
}

Sha256::Sha256() : context_(require_object(EVP_MD_CTX_new(), "a digest context")) {
  require(EVP_DigestInit_ex2(context_.get(), sha256_algorithm(), nullptr), "starting SHA-256");
}

void Sha256::update(BytesView piece) {
  require(EVP_DigestUpdate(context_.get(), piece.data(), piece.size()), "SHA-256");
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(context_.get(), digest.data(), &size), "finishing SHA-256");
  return digest;
}

Sha256Digest hmac_sha256(BytesView key, BytesView message) { return hmac_sha256(key, Parts{message}); }

Sha256Digest hmac_sha256(BytesView key, Parts message) {
  Sha256Digest digest{};
  hmac_into(key, message, digest);
  return digest;
}

SecretArray<kSha256Size> hkdf_extract(BytesView salt, Parts ikm) {
  SecretArray<kSha256Size> prk;
  hmac_into(salt, ikm, prk.span());
  return prk;
}

void hkdf_expand_into(BytesView prk, Parts info, std::span<std::uint8_t> out) {
  require(out.size() <= kHkdfLongest, "HKDF of more than 8160 octets");
  SecretArray<kSha256Size> block;
  std::size_t previous = 0;
  for (std::uint8_t counter = 1; !out.empty(); ++counter) {
    Hmac hmac(prk);
    hmac.update({block.span().first(previous)});
    hmac.update(info);
    hmac.update({BytesView(&counter, 1)});
    hmac.finish(block.span());
    previous = std::min(out.size(), kSha256Size);
    std::ranges::copy(block.span().first(previous), out.begin());
    out = out.subspan(previous);
  }
}

SecretBytes hkdf_expand(BytesView prk, Parts info, std::size_t length) {
  SecretBytes out(length);
  hkdf_expand_into(prk, info, out.span());
  return out;
}

SecretBytes hkdf_sha256(BytesView ikm, BytesView salt, BytesView info, std::size_t length) {
  return hkdf_expand(hkdf_extract(salt, {ikm}).span(), {info}, length);
}

} // namespace tcfdl::crypto
