#include "crypto/signature.hpp"

#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace tcfdl::crypto {
namespace {

// RFC 6979 appendix A.2.5, SHA-256.
constexpr auto kPrivate = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
constexpr auto kPublic = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                         "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
constexpr auto kOfSample = "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                           "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
constexpr auto kOfTest = "3045022100f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                         "0220019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";

void expect_refused(const Status& status) {
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kUnauthenticated);
}

TEST(VerifyKey, AcceptsTheSignaturesOfRfc6979) {
  const auto key = VerifyKey::from_bytes(hex(kPublic)).value();
  EXPECT_TRUE(key.verify(as_bytes("sample"), hex(kOfSample)));
  EXPECT_TRUE(key.verify(as_bytes("test"), hex(kOfTest)));
}

TEST(VerifyKey, RefusesAnotherMessageKeyOrSignature) {
  const auto key = VerifyKey::from_bytes(hex(kPublic)).value();
  expect_refused(key.verify(as_bytes("sample"), hex(kOfTest)));
  expect_refused(key.verify(as_bytes("sampl"), hex(kOfSample)));
  expect_refused(key.verify({}, hex(kOfSample)));
  expect_refused(SigningKey::generate().public_key().verify(as_bytes("sample"), hex(kOfSample)));
}

TEST(VerifyKey, RefusesDamagedSignatures) {
  const auto key = VerifyKey::from_bytes(hex(kPublic)).value();
  expect_refused(key.verify(as_bytes("sample"), {}));
  expect_refused(key.verify(as_bytes("sample"), hex("3006020100020100")));
  for (std::size_t at = 0; at < hex(kOfSample).size(); ++at) {
    auto damaged = hex(kOfSample);
    damaged[at] ^= 0x01;
    expect_refused(key.verify(as_bytes("sample"), damaged));
  }
  auto longer = hex(kOfSample);
  longer.push_back(0);
  expect_refused(key.verify(as_bytes("sample"), longer));
}

TEST(VerifyKey, RefusesAPointOffTheCurve) {
  auto bytes = hex(kPublic);
  bytes[1] ^= 1;
  EXPECT_FALSE(VerifyKey::from_bytes(bytes));
}

TEST(SigningKey, HasThePublicKeyOfRfc6979) {
  const auto key = SigningKey::from_private_bytes(hex(kPrivate)).value();
  EXPECT_EQ(to_hex(key.public_key().bytes()), kPublic);
  EXPECT_EQ(to_hex(key.private_bytes().span()), kPrivate);
}

TEST(SigningKey, SignsWhatItsPublicKeyVerifies) {
  const auto key = SigningKey::generate();
  const auto again = SigningKey::from_private_bytes(key.private_bytes().span()).value();
  EXPECT_EQ(key.public_key(), again.public_key());
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(key.public_key().verify(as_bytes("m"), again.sign(as_bytes("m"))));
}

TEST(SigningKey, RefusesPrivateBytesOutOfRange) {
  EXPECT_FALSE(SigningKey::from_private_bytes(repeated(32, 0)));
  EXPECT_FALSE(SigningKey::from_private_bytes(repeated(32, 0xFF)));
  EXPECT_FALSE(SigningKey::from_private_bytes(repeated(16, 1)));
}

TEST(SigningKey, SignsAndVerifiesInManyThreadsAtOnce) {
  const auto key = SigningKey::generate();
  std::array<bool, 4> good{};
  {
    std::vector<std::jthread> threads;
    threads.reserve(good.size());
    for (auto& result : good) {
      threads.emplace_back([&] {
        result = true;
        for (int i = 0; i < 20; ++i) {
          result = result && key.public_key().verify(as_bytes("m"), key.sign(as_bytes("m"))).has_value();
        }
      });
    }
  }
  EXPECT_EQ(good, (std::array<bool, 4>{true, true, true, true}));
}

} // namespace
} // namespace tcfdl::crypto
