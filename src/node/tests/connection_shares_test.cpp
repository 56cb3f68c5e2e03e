#include "node/connection_shares.hpp"

#include <gtest/gtest.h>

namespace tcfdl::node {
namespace {

TEST(ConnectionShares, EndWhereACallerHasAsManyAsItMay) {
  ConnectionShares shares(2);
  const auto first = shares.enter("anna");
  auto second = shares.enter("anna");
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(shares.enter("anna"));
  EXPECT_TRUE(shares.enter("bert")) << "each has its own";
  second.reset();
  EXPECT_TRUE(shares.enter("anna")) << "a place that was left is free, also after a refusal";
}

} // namespace
} // namespace tcfdl::node
