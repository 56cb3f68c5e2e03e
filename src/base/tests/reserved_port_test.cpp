#include "base/reserved_port.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(ReservedPort, IsNobodyElsesWhileItLives) {
  auto port = ReservedPort::pick();
  ASSERT_TRUE(port) << port.error().message();
  const auto number = port->number();
  const auto second = ReservedPort::take(number);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kAlreadyExists);
  port = ReservedPort::pick();
  ASSERT_TRUE(port);
  EXPECT_TRUE(ReservedPort::take(number));
}

TEST(ReservedPort, IsBelowThoseOfOutgoingConnections) {
  const auto port = ReservedPort::pick();
  ASSERT_TRUE(port);
  EXPECT_LT(port->number(), 32'768);
}

} // namespace
} // namespace tcfdl
