#include "crypto/ed25519.hpp"

#include "crypto/sha512_256.hpp"
#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

struct Signature {
  std::string seed;
  std::string key;
  std::string message;
  std::string signature;
};

/// RFC 8032 section 7.1, tests 1 to 3.
const std::vector<Signature>& signatures() {
  static const std::vector<Signature> kVectors{
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
       "4655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
       "eb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28"
       "dc027beceea1ec40a"}};
  return kVectors;
}

Ed25519SigningKey signing_key(const std::string& hex) {
  const auto bytes = from_hex(hex).value();
  return Ed25519SigningKey(Ed25519Seed::copy_of(std::span<const std::uint8_t, kEd25519KeySize>(bytes)));
}

TEST(Ed25519, MatchesTheVectorsOfRfc8032) {
  for (const auto& vector : signatures()) {
    const auto key = signing_key(vector.seed);
    const auto message = from_hex(vector.message).value();
    EXPECT_EQ(to_hex(key.public_key()), vector.key);
    EXPECT_EQ(to_hex(key.sign(message)), vector.signature);
    EXPECT_TRUE(verify_ed25519(key.public_key(), message, key.sign(message)));
  }
}

TEST(Ed25519, RefusesAnyOtherSignatureMessageAndKey) {
  const auto key = Ed25519SigningKey::generate();
  const auto message = to_bytes("message");
  const auto signature = key.sign(message);
  for (std::size_t i = 0; i < signature.size(); ++i) {
    auto changed = signature;
    changed[i] ^= 1U;
    EXPECT_EQ(verify_ed25519(key.public_key(), message, changed).error().code(), Code::kUnauthenticated) << i;
  }
  EXPECT_FALSE(verify_ed25519(key.public_key(), message, BytesView(signature).first(63)));
  EXPECT_FALSE(verify_ed25519(key.public_key(), message, {}));
  EXPECT_FALSE(verify_ed25519(key.public_key(), as_bytes("massage"), signature));
  EXPECT_FALSE(verify_ed25519(Ed25519SigningKey::generate().public_key(), message, signature));
}

TEST(Ed25519, ComesBackFromItsSeed) {
  const auto key = Ed25519SigningKey::generate();
  const Ed25519SigningKey again(Ed25519Seed::copy_of(key.seed().span()));
  EXPECT_EQ(again.public_key(), key.public_key());
  EXPECT_NE(Ed25519SigningKey::generate().public_key(), key.public_key());
}

TEST(Sha512Cut, MatchesTheVectorOfFips180) {
  EXPECT_EQ(to_hex(sha512_256(as_bytes("abc"))), "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

} // namespace
} // namespace tcfdl::crypto
