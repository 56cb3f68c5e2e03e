#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(Base64url, MatchesTheVectorsOfRfc4648) {
  for (const auto& [plain, coded] : std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                                                     {"f", "Zg"},
                                                                                     {"fo", "Zm8"},
                                                                                     {"foo", "Zm9v"},
                                                                                     {"foob", "Zm9vYg"},
                                                                                     {"fooba", "Zm9vYmE"},
                                                                                     {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(to_base64url(as_bytes(plain)), coded);
    const auto back = from_base64url(coded);
    ASSERT_TRUE(back);
    EXPECT_EQ(as_text(*back), plain);
  }
}

TEST(Base64url, RefusesForeignCharactersLengthsAndTrailingBits) {
  for (const auto* text : {"Z", "Zg==", "Z+8", "Zh"}) EXPECT_FALSE(from_base64url(text)) << text;
}

TEST(Hex, RoundTripsAndRefuses) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0xAB, 0xFF}), "00abff");
  EXPECT_EQ(from_hex("00ABff").value(), (Bytes{0x00, 0xAB, 0xFF}));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

} // namespace
} // namespace tcfdl
