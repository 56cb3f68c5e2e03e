#include "crypto/hpke.hpp"

#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

// RFC 9180 appendix A.3.1, sequence number 0.
constexpr auto kIkmE = "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e";
constexpr auto kIkmR = "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550";
constexpr auto kPrivateE = "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb";
constexpr auto kPrivateR = "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2";
constexpr auto kPublicE = "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9"
                          "8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4";
constexpr auto kPublicR = "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a82"
                          "6a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0";
constexpr auto kInfo = "4f6465206f6e2061204772656369616e2055726e";
constexpr auto kAad = "436f756e742d30";
constexpr auto kPlaintext = "4265617574792069732074727574682c20747275746820626561757479";
constexpr auto kCiphertext =
    "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434";

Bytes published() { return hex(std::string(kPublicE) + kCiphertext); }

HpkePrivateKey recipient() { return HpkePrivateKey::from_bytes(hex(kPrivateR)).value(); }

void expect_code(const Result<SecretBytes>& opened, Code code) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), code) << opened.error().message();
}

TEST(Hpke, DerivesTheKeyPairsOfRfc9180) {
  const auto ephemeral = HpkePrivateKey::derive(hex(kIkmE)).value();
  EXPECT_EQ(to_hex(ephemeral.private_bytes().span()), kPrivateE);
  EXPECT_EQ(to_hex(ephemeral.public_key().bytes()), kPublicE);
  const auto receiver = HpkePrivateKey::derive(hex(kIkmR)).value();
  EXPECT_EQ(to_hex(receiver.private_bytes().span()), kPrivateR);
  EXPECT_EQ(to_hex(receiver.public_key().bytes()), kPublicR);
  EXPECT_FALSE(HpkePrivateKey::derive(repeated(31, 1)));
}

TEST(Hpke, SealsAsRfc9180) {
  const auto ephemeral = HpkePrivateKey::derive(hex(kIkmE)).value();
  const auto sealed = internal::hpke_seal_with(ephemeral, hex(kPublicR), hex(kInfo), hex(kAad), hex(kPlaintext));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(to_hex(*sealed), std::string(kPublicE) + kCiphertext);
}

TEST(Hpke, OpensTheTextOfRfc9180) {
  const auto opened = hpke_open(recipient(), hex(kInfo), hex(kAad), published());
  ASSERT_TRUE(opened);
  EXPECT_EQ(to_hex(opened->span()), kPlaintext);
}

TEST(Hpke, RoundTripsWithFreshKeys) {
  const auto key = HpkePrivateKey::generate();
  for (const auto& text : {Bytes{}, to_bytes("a"), repeated(5000, 7)}) {
    const auto sealed = hpke_seal(key.public_key().bytes(), as_bytes("info"), as_bytes("aad"), text);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->size(), text.size() + kHpkeOverhead);
    const auto opened = hpke_open(key, as_bytes("info"), as_bytes("aad"), *sealed);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(equal_constant_time(opened->span(), text));
  }
}

TEST(Hpke, RefusesAnotherKeyInfoHeaderOrText) {
  expect_code(hpke_open(HpkePrivateKey::generate(), hex(kInfo), hex(kAad), published()), Code::kUnauthenticated);
  expect_code(hpke_open(recipient(), {}, hex(kAad), published()), Code::kUnauthenticated);
  expect_code(hpke_open(recipient(), hex(kInfo), {}, published()), Code::kUnauthenticated);
  auto flipped = published();
  flipped.back() ^= 1;
  expect_code(hpke_open(recipient(), hex(kInfo), hex(kAad), flipped), Code::kUnauthenticated);
}

TEST(Hpke, RefusesShortTextsAndBadPoints) {
  expect_code(hpke_open(recipient(), hex(kInfo), hex(kAad), {}), Code::kInvalidArgument);
  expect_code(hpke_open(recipient(), hex(kInfo), hex(kAad), BytesView(published()).first(kHpkeOverhead - 1)),
              Code::kInvalidArgument);
  auto off_curve = published();
  off_curve[10] ^= 1;
  expect_code(hpke_open(recipient(), hex(kInfo), hex(kAad), off_curve), Code::kInvalidArgument);
  EXPECT_FALSE(hpke_seal(BytesView(published()).first(64), {}, {}, {}));
}

} // namespace
} // namespace tcfdl::crypto
