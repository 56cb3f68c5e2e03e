#include "base/result.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return make_error(Code::kInvalidArgument, "{} is odd", number);
  return number / 2;
}

Result<int> quarter(int number) {
  TCFDL_ASSIGN(const int first, half(number));
  TCFDL_ASSIGN(const int second, half(first));
  return second;
}

TEST(Result, PassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().to_string(), "INVALID_ARGUMENT: 3 is odd");
}

TEST(Code, NamesAndNumbersRoundTrip) {
  for (std::uint32_t number = 1; number <= 16; ++number) {
    const auto code = code_from_number(number);
    EXPECT_EQ(static_cast<std::uint32_t>(code), number);
    EXPECT_EQ(code_from_name(code_name(code)), code);
  }
  EXPECT_EQ(code_from_number(0), Code::kUnknown);
  EXPECT_EQ(code_from_number(99), Code::kUnknown);
  EXPECT_EQ(code_from_name("NEWER"), Code::kUnknown);
}

} // namespace
} // namespace tcfdl
