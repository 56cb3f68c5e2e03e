#include "crypto/hash.hpp"

#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

struct HkdfVector {
  Bytes ikm;
  Bytes salt;
  Bytes info;
  std::string okm;
};

Bytes counting(std::uint8_t from, std::uint8_t to) {
  Bytes bytes;
  for (unsigned value = from; value <= to; ++value) bytes.push_back(static_cast<std::uint8_t>(value));
  return bytes;
}

std::vector<HkdfVector> rfc5869_vectors() {
  return {{repeated(22, 0x0b), counting(0x00, 0x0c), counting(0xf0, 0xf9),
           "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
          {counting(0x00, 0x4f), counting(0x60, 0xaf), counting(0xb0, 0xff),
           "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
           "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
          {repeated(22, 0x0b),
           {},
           {},
           "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"}};
}

TEST(Sha256, MatchesTheVectorsOfFips180) {
  EXPECT_EQ(to_hex(sha256(BytesView{})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, GivesTheSameInOnePieceAndInMany) {
  Sha256 hash;
  for (const auto* piece : {"a", "", "bc"}) hash.update(as_bytes(piece));
  EXPECT_EQ(hash.finish(), sha256(as_bytes("abc")));
  EXPECT_EQ(sha256({as_bytes("ab"), as_bytes("c")}), sha256(as_bytes("abc")));
}

TEST(Sha512, MatchesTheVectorOfFips180) {
  EXPECT_EQ(to_hex(sha512(as_bytes("abc"))), "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                                             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(HmacSha256, MatchesTheVectorsOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(repeated(20, 0x0b), as_bytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want "), as_bytes("for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      to_hex(hmac_sha256(repeated(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hkdf, MatchesTheVectorsOfRfc5869) {
  for (const auto& vector : rfc5869_vectors()) {
    const auto okm = hkdf_sha256(vector.ikm, vector.salt, vector.info, vector.okm.size() / 2);
    EXPECT_EQ(to_hex(okm.span()), vector.okm);
  }
}

TEST(Hkdf, ExtractsAsRfc5869) {
  EXPECT_EQ(to_hex(hkdf_extract(counting(0x00, 0x0c), {repeated(11, 0x0b), repeated(11, 0x0b)}).span()),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
}

TEST(Hkdf, YieldsTheLongestOutput) {
  const auto longest = hkdf_sha256(as_bytes("key"), {}, {}, kHkdfLongest);
  const auto shorter = hkdf_sha256(as_bytes("key"), {}, {}, 40);
  EXPECT_TRUE(equal_constant_time(longest.span().first(40), shorter.span()));
  EXPECT_FALSE(equal_constant_time(longest.span().first(32), longest.span().last(32)));
}

TEST(HkdfDeathTest, EndsTheProcessRatherThanRepeatItself) {
  EXPECT_DEATH((void)hkdf_sha256(as_bytes("key"), {}, {}, kHkdfLongest + 1), "8160");
}

} // namespace
} // namespace tcfdl::crypto
