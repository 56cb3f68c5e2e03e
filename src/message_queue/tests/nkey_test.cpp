#include "message_queue/nkey.hpp"

#include <gtest/gtest.h>

namespace tcfdl::message_queue {
namespace {

/// A pair that other implementations of NATS print in their documentation.
constexpr std::string_view kSeed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
constexpr std::string_view kPublic = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

TEST(Nkey, MatchesAPairOfOtherImplementations) {
  const auto key = Nkey::parse_seed(kSeed, NkeyKind::kUser);
  ASSERT_TRUE(key) << key.error().to_string();
  EXPECT_EQ(key->public_text(), kPublic);
  EXPECT_EQ(as_text(key->seed_text().span()), kSeed);
  const auto message = to_bytes("nonce");
  EXPECT_TRUE(crypto::verify_ed25519(parse_public_nkey(kPublic, NkeyKind::kUser).value(), message, key->sign(message)));
}

TEST(Nkey, BeginsWithItsKind) {
  for (const auto& [kind, letter] : {std::pair{NkeyKind::kOperator, 'O'},
                                     {NkeyKind::kAccount, 'A'},
                                     {NkeyKind::kUser, 'U'},
                                     {NkeyKind::kServer, 'N'}}) {
    const auto key = Nkey::generate(kind);
    EXPECT_EQ(key.public_text()[0], letter);
    EXPECT_EQ(key.public_text().size(), 56U);
    const auto seed = key.seed_text();
    EXPECT_EQ(as_text(seed.span().first(2)), std::string("S") + letter);
    EXPECT_EQ(Nkey::parse_seed(as_text(seed.span()), kind).value().public_text(), key.public_text());
  }
}

TEST(Nkey, IsOfOneKindOnly) {
  for (const auto kind : {NkeyKind::kOperator, NkeyKind::kAccount, NkeyKind::kServer}) {
    EXPECT_EQ(parse_public_nkey(kPublic, kind).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(Nkey::parse_seed(kSeed, kind).error().code(), Code::kInvalidArgument);
  }
  EXPECT_FALSE(parse_public_nkey(kSeed, NkeyKind::kUser));
  EXPECT_FALSE(Nkey::parse_seed(kPublic, NkeyKind::kUser));
}

TEST(Nkey, RefusesEveryOtherText) {
  for (std::size_t i = 0; i < kPublic.size(); ++i) {
    for (const char c : {'A', 'Z', 'a', '1', '=', '\0'}) {
      auto text = std::string(kPublic);
      if (text[i] == c) continue;
      text[i] = c;
      EXPECT_FALSE(parse_public_nkey(text, NkeyKind::kUser)) << text;
    }
  }
  for (std::size_t i = 0; i < kSeed.size(); ++i) {
    auto text = std::string(kSeed);
    text[i] = text[i] == 'B' ? 'C' : 'B'; // in the last place: two trailing bits
    EXPECT_FALSE(Nkey::parse_seed(text, NkeyKind::kUser)) << text;
  }
  for (const auto& text : {std::string(), std::string(kPublic) + "A", std::string(kPublic.substr(0, 55)),
                           std::string(kPublic) + "======"}) {
    EXPECT_FALSE(parse_public_nkey(text, NkeyKind::kUser)) << text;
  }
}

TEST(Nkey, DoesNotRepeatASeedInErrors) {
  const auto refused = Nkey::parse_seed(kSeed, NkeyKind::kAccount);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().to_string().find(kSeed.substr(4, 20)), std::string::npos);
}

} // namespace
} // namespace tcfdl::message_queue
