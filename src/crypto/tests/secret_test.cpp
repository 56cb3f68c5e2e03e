#include "crypto/secret.hpp"

#include "crypto/random.hpp"
#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>
#include <new>

namespace tcfdl::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_copy_constructible_v<SecretArray<4>> && !std::is_copy_assignable_v<SecretArray<4>>);

TEST(SecretArray, WipesItselfWhenItGoes) {
  alignas(SecretArray<8>) std::array<std::uint8_t, sizeof(SecretArray<8>)> memory{};
  auto* const secret =
      new (memory.data()) SecretArray<8>(SecretArray<8>::copy_of(std::array<std::uint8_t, 8>{1, 2, 3}));
  EXPECT_EQ(memory[2], 3);
  secret->~SecretArray();
  EXPECT_EQ(memory, decltype(memory){});
}

TEST(SecretArray, LeavesZerosBehindWhenItMoves) {
  auto first = SecretArray<2>::copy_of(std::array<std::uint8_t, 2>{7, 8});
  const auto second = std::move(first);
  EXPECT_EQ(second.span()[1], 8);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the claim
  EXPECT_EQ(first.span()[1], 0);
}

TEST(SecretBytes, IsEmptyAfterAMove) {
  auto first = SecretBytes::copy_of(hex("0102"));
  auto second = std::move(first);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the claim
  EXPECT_TRUE(first.empty());
  SecretBytes third(3);
  third = std::move(second);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the claim
  EXPECT_TRUE(second.empty());
  EXPECT_TRUE(equal_constant_time(third.span(), hex("0102")));
}

TEST(EqualConstantTime, ComparesLengthAndContent) {
  EXPECT_TRUE(equal_constant_time({}, {}));
  EXPECT_TRUE(equal_constant_time(hex("0102"), hex("0102")));
  EXPECT_FALSE(equal_constant_time(hex("0102"), hex("0103")));
  EXPECT_FALSE(equal_constant_time(hex("0102"), hex("01")));
}

TEST(Random, FillsAllOfALongBufferAndDiffers) {
  Bytes bytes((std::size_t{1} << 20U) + 64);
  random_bytes(bytes);
  EXPECT_NE(Bytes(bytes.end() - 32, bytes.end()), repeated(32, 0));
  EXPECT_NE(random_array<32>(), random_array<32>());
}

} // namespace
} // namespace tcfdl::crypto
