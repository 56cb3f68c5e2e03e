#include "crypto/p256.hpp"

#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace tcfdl::crypto {
namespace {

constexpr auto kOrder = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
constexpr auto kOrderLessOne = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
constexpr auto kGenerator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

Scalar scalar(std::string_view text) {
  auto digits = std::string(text);
  digits.insert(0, 64 - digits.size(), '0');
  return Scalar::from_bytes(hex(digits)).value();
}

Point point(std::string_view text) { return Point::from_bytes(hex(text)).value(); }

std::string text_of(const Scalar& number) { return to_hex(number.to_bytes().span()); }

void expect_no_point(const Bytes& bytes) {
  const auto refused = Point::from_bytes(bytes);
  ASSERT_FALSE(refused) << to_hex(bytes);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
}

TEST(Scalar, RefusesZeroTheOrderAndAboveAndOtherLengths) {
  for (const auto& bytes :
       {repeated(32, 0), hex(kOrder), repeated(32, 0xFF), repeated(31, 1), repeated(33, 1), Bytes{}}) {
    const auto refused = Scalar::from_bytes(bytes);
    ASSERT_FALSE(refused) << to_hex(bytes);
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  }
}

TEST(Scalar, KeepsItsBytes) {
  EXPECT_EQ(text_of(scalar(kOrderLessOne)), kOrderLessOne);
  EXPECT_EQ(text_of(scalar("01")), std::string(62, '0') + "01");
  const auto random = Scalar::random();
  EXPECT_EQ(text_of(random), text_of(random.clone()));
  EXPECT_NE(text_of(random), text_of(Scalar::random()));
}

TEST(Scalar, MultipliesAndInvertsModuloTheOrder) {
  EXPECT_EQ(text_of(scalar("02").inverse()), "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9");
  EXPECT_EQ(text_of(scalar(kOrderLessOne) * scalar(kOrderLessOne)), text_of(scalar("01")));
  EXPECT_EQ(text_of(scalar("03") * scalar("05")), text_of(scalar("0f")));
  for (int i = 0; i < 8; ++i) {
    const auto x = Scalar::random();
    EXPECT_EQ(text_of(x * x.inverse()), text_of(scalar("01")));
  }
}

TEST(Point, MatchesPublishedMultiplesOfTheGenerator) {
  EXPECT_EQ(Point::generator_times(scalar("01")), point(kGenerator));
  EXPECT_EQ(Point::generator_times(scalar("02")),
            point("047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
                  "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"));
  EXPECT_EQ(Point::generator_times(scalar("03")),
            point("045ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c"
                  "8734640c4998ff7e374b06ce1a64a2ecd82ab036384fb83d9a79b127a27d5032"));
  EXPECT_EQ(Point::generator_times(scalar(kOrderLessOne)),
            point("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                  "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a"));
}

// The first ECDH vector for P-256 of NIST's CAVP.
TEST(Point, MatchesAPublishedMultipleOfAnotherPoint) {
  const auto theirs = point("04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
                            "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac");
  const auto ours = scalar("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
  EXPECT_EQ(to_hex(theirs.times(ours).bytes().subspan(1, 32)),
            "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b");
}

TEST(Point, TimesAgreesWithTheGeneratorAndWithSecretForms) {
  const auto a = Scalar::random();
  const auto b = Scalar::random();
  const auto product = Point::generator_times(a * b);
  EXPECT_EQ(Point::generator_times(a).times(b), product);
  EXPECT_TRUE(equal_constant_time(secret_generator_times(a * b).span(), product.bytes()));
  EXPECT_TRUE(equal_constant_time(secret_times(Point::generator_times(b), a).span(), product.bytes()));
}

TEST(Point, RefusesWhatIsNotOnTheCurve) {
  auto bytes = hex(kGenerator);
  bytes[64] ^= 1;
  expect_no_point(bytes);
  auto zeros = repeated(65, 0);
  zeros[0] = 4;
  expect_no_point(zeros);
}

TEST(Point, RefusesTheIdentityAndOtherForms) {
  expect_no_point({0x00});
  expect_no_point(repeated(65, 0));
  auto bytes = hex(kGenerator);
  bytes[0] = 0x07; // hybrid, of the right parity
  expect_no_point(bytes);
  bytes[0] = 0x03; // compressed
  expect_no_point(Bytes(bytes.begin(), bytes.begin() + 33));
}

TEST(Point, RefusesOtherLengths) {
  auto bytes = hex(kGenerator);
  bytes.push_back(0);
  expect_no_point(bytes);
  bytes.resize(64);
  expect_no_point(bytes);
  expect_no_point({});
}

// x = p + 5 with the y of x = 5 would be a second encoding of the same point.
TEST(Point, RefusesCoordinatesAboveTheFieldsPrime) {
  constexpr auto kYOfFive = "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
  const auto good = Point::from_bytes(hex("04" + std::string(62, '0') + "05" + kYOfFive));
  ASSERT_TRUE(good) << "the vector itself is wrong";
  expect_no_point(hex(std::string("04ffffffff00000001000000000000000000000001000000000000000000000004") + kYOfFive));
}

TEST(Point, MultipliesInManyThreadsAtOnce) {
  const auto x = Scalar::random();
  const auto expected = Point::generator_times(x).times(x);
  std::array<bool, 4> good{};
  {
    std::vector<std::jthread> threads;
    threads.reserve(good.size());
    for (auto& result : good) {
      threads.emplace_back([&] { result = Point::generator_times(x).times(x) == expected; });
    }
  }
  EXPECT_EQ(good, (std::array<bool, 4>{true, true, true, true}));
}

} // namespace
} // namespace tcfdl::crypto
