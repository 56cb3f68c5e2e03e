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

TEST(Ports, AreARange) {
  const auto ports = parse_ports("30000-30099");
  ASSERT_TRUE(ports) << ports.error().to_string();
  EXPECT_EQ(ports->first, 30000);
  EXPECT_EQ(ports->last, 30099);
  for (const auto* text : {"", "-", "1", "1-", "-1", "0-5", "5-4", "1-65536", "1-2-3", "a-b"}) {
    EXPECT_FALSE(parse_ports(text)) << text;
  }
}

} // namespace
} // namespace tcfdl::wire
