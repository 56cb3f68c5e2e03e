#include "wire/address.hpp"

#include <gtest/gtest.h>

namespace tcfdl::wire {
namespace {

TEST(Address, RoundTrips) {
  for (const auto* text : {"unix:/run/x.sock", "tcp:127.0.0.1:80"})
    EXPECT_EQ(to_string(parse_address(text).value()), text);
}

TEST(Address, RefusesWhatIsNone) {
  for (const auto* text : {"", "unix:", "tcp:", "tcp:127.0.0.1", "tcp:localhost:1", "tcp:127.0.0.1:65536",
                           "tcp:127.0.0.1:1x", "http://x"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
  EXPECT_FALSE(parse_address("unix:" + std::string(200, 'a')));
}

TEST(Address, KnowsTheLoopbackRange) {
  EXPECT_TRUE(is_loopback({"127.3.2.1", 1}));
  EXPECT_FALSE(is_loopback({"10.0.0.1", 1}));
  EXPECT_FALSE(is_loopback({"0.0.0.0", 1}));
}

} // namespace
} // namespace tcfdl::wire
