#include "crypto/jose.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

TEST(Jose, ChecksTheExampleOfRfc7515) {
  // RFC 7515 appendix A.3: key, signing input and signature.
  Bytes point{4};
  for (const auto* half :
       {"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}) {
    const auto bytes = from_base64url(half).value();
    point.insert(point.end(), bytes.begin(), bytes.end());
  }
  const auto key = VerifyKey::from_bytes(point).value();
  const std::string input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
                            "LmNvbS9pc19yb290Ijp0cnVlfQ";
  auto signature =
      from_base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q").value();
  EXPECT_TRUE(verify_es256(key, as_bytes(input), signature));
  EXPECT_FALSE(verify_es256(key, as_bytes(input + "x"), signature));
  signature[0] ^= 1U;
  EXPECT_FALSE(verify_es256(key, as_bytes(input), signature));
}

TEST(Jose, SignaturesHaveOneSizeAndAreOfOneKey) {
  const auto key = SigningKey::generate();
  // r and s with leading zeros come about once in 128.
  for (int i = 0; i < 300; ++i) {
    const auto message = to_bytes(fmt::format("{}", i));
    const auto signature = sign_es256(key, message);
    ASSERT_EQ(signature.size(), kEs256Size);
    ASSERT_TRUE(verify_es256(key.public_key(), message, signature));
  }
  const auto signature = sign_es256(key, as_bytes("text"));
  EXPECT_FALSE(verify_es256(SigningKey::generate().public_key(), as_bytes("text"), signature));
  EXPECT_FALSE(verify_es256(key.public_key(), as_bytes("text"), BytesView(signature).first(63)));
}

} // namespace
} // namespace tcfdl::crypto
