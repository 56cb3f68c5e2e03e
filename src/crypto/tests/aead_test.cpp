#include "crypto/aead.hpp"

#include "crypto/tests/hex.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

struct Vector {
  std::string key, nonce, plaintext, aad, sealed;
};

// Test cases 1 to 4 of the GCM specification that NIST took over.
const std::vector<Vector>& vectors() {
  static const std::vector<Vector> kAll = {
      {"00000000000000000000000000000000", "000000000000000000000000", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
      {"00000000000000000000000000000000", "000000000000000000000000", "00000000000000000000000000000000", "",
       "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
      {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de6"
       "57ba637b391aafd255",
       "",
       "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac"
       "973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4"},
      {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de6"
       "57ba637b39",
       "feedfacedeadbeeffeedfacedeadbeefabaddad2",
       "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac"
       "973d58e0915bc94fbc3221a5db94fae95ae7121a47"}};
  return kAll;
}

AeadKey key_of(const std::string& text) {
  const auto bytes = hex(text);
  return AeadKey(std::span<const std::uint8_t, kAeadKeySize>(bytes));
}

AeadNonce nonce_of(const std::string& text) {
  AeadNonce nonce{};
  std::ranges::copy(hex(text), nonce.begin());
  return nonce;
}

class Aead : public testing::Test {
protected:
  AeadKey key_ = key_of("000102030405060708090a0b0c0d0e0f");
  AeadNonce nonce_ = nonce_of("000000000000000000000001");
  Bytes aad_ = to_bytes("header");
  Bytes plaintext_ = to_bytes("a body of some octets");
  Bytes sealed_ = Bytes(plaintext_.size() + kAeadTagSize);

  void SetUp() override { ASSERT_TRUE(key_.seal(nonce_, aad_, plaintext_, sealed_)); }
};

TEST_F(Aead, MatchesThePublishedVectorsBothWays) {
  for (const auto& vector : vectors()) {
    auto key = key_of(vector.key);
    const auto plaintext = hex(vector.plaintext);
    Bytes sealed(plaintext.size() + kAeadTagSize);
    ASSERT_TRUE(key.seal(nonce_of(vector.nonce), hex(vector.aad), plaintext, sealed));
    EXPECT_EQ(to_hex(sealed), vector.sealed);
    Bytes opened(plaintext.size());
    ASSERT_TRUE(key.open(nonce_of(vector.nonce), hex(vector.aad), sealed, opened));
    EXPECT_EQ(opened, plaintext);
  }
}

TEST_F(Aead, SealsAndOpensInPlace) {
  Bytes buffer = plaintext_;
  buffer.resize(sealed_.size());
  ASSERT_TRUE(key_.seal_in_place(nonce_, aad_, buffer));
  EXPECT_EQ(buffer, sealed_);
  const auto opened = key_.open_in_place(nonce_, aad_, buffer);
  ASSERT_TRUE(opened);
  EXPECT_EQ(Bytes(opened->begin(), opened->end()), plaintext_);
}

TEST_F(Aead, RefusesEveryFlippedBitAndWipesTheOutput) {
  for (std::size_t bit = 0; bit < sealed_.size() * 8; ++bit) {
    auto forged = sealed_;
    forged[bit / 8] = static_cast<std::uint8_t>(forged[bit / 8] ^ (1U << (bit % 8)));
    Bytes opened(plaintext_.size(), 0xEE);
    const auto status = key_.open(nonce_, aad_, forged, opened);
    ASSERT_FALSE(status) << bit;
    EXPECT_EQ(status.error().code(), Code::kUnauthenticated);
    EXPECT_EQ(opened, repeated(plaintext_.size(), 0));
  }
}

TEST_F(Aead, RefusesAnotherKeyNonceOrHeader) {
  Bytes opened(plaintext_.size());
  EXPECT_FALSE(key_of("ff0102030405060708090a0b0c0d0e0f").open(nonce_, aad_, sealed_, opened));
  EXPECT_FALSE(key_.open(nonce_of("000000000000000000000002"), aad_, sealed_, opened));
  EXPECT_FALSE(key_.open(nonce_, as_bytes("headex"), sealed_, opened));
  EXPECT_FALSE(key_.open(nonce_, {}, sealed_, opened));
  EXPECT_FALSE(key_.open(nonce_, aad_, BytesView(sealed_).first(sealed_.size() - 1),
                         std::span(opened).first(opened.size() - 1)));
  EXPECT_TRUE(key_.open(nonce_, aad_, sealed_, opened)) << "a refusal must not spoil the key";
}

TEST_F(Aead, RefusesBuffersOfTheWrongSize) {
  Bytes small(plaintext_.size() - 1);
  for (const auto& status : {key_.seal(nonce_, aad_, plaintext_, small), key_.open(nonce_, aad_, sealed_, small),
                             key_.open(nonce_, aad_, repeated(15, 0), {}), key_.seal_in_place(nonce_, aad_, {})}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), Code::kInvalidArgument);
  }
  EXPECT_FALSE(key_.open_in_place(nonce_, aad_, std::span(small).first(kAeadTagSize - 1)));
}

TEST_F(Aead, RefusesBuffersThatOverlapInPart) {
  Bytes buffer(64);
  const auto status = key_.seal(nonce_, aad_, BytesView(buffer).first(32), std::span(buffer).subspan(1, 48));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::crypto
