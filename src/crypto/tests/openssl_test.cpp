#include "crypto/openssl.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

namespace tcfdl::crypto {
namespace {

TEST(OpensslCheck, TakesOneAndNothingElseForSuccess) {
  EXPECT_TRUE(check(1, "a call"));
  for (const int returned : {0, -1, -2, 2}) EXPECT_FALSE(check(returned, "a call")) << returned;
}

TEST(OpensslCheck, NamesTheCallAndEmptiesTheErrorQueue) {
  ERR_raise(ERR_LIB_EC, ERR_R_MALLOC_FAILURE);
  const auto status = check(0, "a call");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kInternal);
  EXPECT_TRUE(status.error().message().starts_with("a call failed")) << status.error().message();
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(OpensslCheckDeathTest, RequireEndsTheProcess) { EXPECT_DEATH(require(0, "a call"), "a call failed"); }

} // namespace
} // namespace tcfdl::crypto
