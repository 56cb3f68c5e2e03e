#include "crypto/ecdsa.hpp"

#include "crypto/samples/test_pki.hpp"
#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

// RFC 6979 appendices A.2.5 and A.2.6, message "sample".
constexpr auto kPoint256 = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                           "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
constexpr auto kSignature256 = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                               "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
constexpr auto kPoint384 = "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
                           "def8f0ea9055866064a254515480bc13"
                           "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
                           "288b231c3ae0d4fe7344fd2533264720";
constexpr auto kSignature384 = "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
                               "81a648152e44acf96e36dd1e80fabe46"
                               "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
                               "a329c145786e679e7b82c71a38628ac8";

TEST(RawEcdsa, AcceptsTheSignaturesOfRfc6979) {
  EXPECT_TRUE(verify_ecdsa(Curve::kP256, hex(kPoint256), as_bytes("sample"), hex(kSignature256)));
  EXPECT_TRUE(verify_ecdsa(Curve::kP384, hex(kPoint384), as_bytes("sample"), hex(kSignature384)));
}

TEST(RawEcdsa, RefusesAnotherMessageOrKeyAndDamage) {
  for (const auto curve : {Curve::kP256, Curve::kP384}) {
    const auto key = curve == Curve::kP256 ? test::Key::p256() : test::Key::p384();
    const auto good = key.sign(as_bytes("m"));
    ASSERT_TRUE(verify_ecdsa(curve, key.point(), as_bytes("m"), good));
    const auto other = curve == Curve::kP256 ? test::Key::p256() : test::Key::p384();
    EXPECT_EQ(verify_ecdsa(curve, key.point(), as_bytes("n"), good).error().code(), Code::kUnauthenticated);
    EXPECT_EQ(verify_ecdsa(curve, other.point(), as_bytes("m"), good).error().code(), Code::kUnauthenticated);
    for (std::size_t at = 0; at < good.size(); at += 7) {
      auto bad = good;
      bad[at] ^= 0x10;
      EXPECT_FALSE(verify_ecdsa(curve, key.point(), as_bytes("m"), bad));
    }
    EXPECT_FALSE(verify_ecdsa(curve, key.point(), as_bytes("m"), Bytes(good.size(), 0)));
  }
}

TEST(RawEcdsa, RefusesOtherSizesAndPointsOffTheCurve) {
  const auto refusal = [](BytesView point, BytesView signature) {
    return verify_ecdsa(Curve::kP256, point, as_bytes("sample"), signature).error().code();
  };
  auto off = hex(kPoint256);
  off[1] ^= 1;
  EXPECT_EQ(refusal(off, hex(kSignature256)), Code::kInvalidArgument);
  EXPECT_EQ(refusal(Bytes(65, 0), hex(kSignature256)), Code::kInvalidArgument);
  EXPECT_EQ(refusal(hex(kPoint384), hex(kSignature256)), Code::kInvalidArgument);
  EXPECT_EQ(refusal(hex(kPoint256), hex(kSignature384)), Code::kInvalidArgument);
  EXPECT_EQ(refusal({}, {}), Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::crypto
