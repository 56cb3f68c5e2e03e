#include "http/url.hpp"

#include <gtest/gtest.h>

namespace tcfdl::http {
namespace {

TEST(Percent, RoundTripsEveryPrintableText) {
  const std::string text = "plates/read äß%+ ~._-?&=";
  EXPECT_EQ(percent_decode(percent_encode(text)).value(), text);
  EXPECT_EQ(percent_encode("a/b c"), "a%2Fb%20c");
  EXPECT_EQ(percent_decode("%41").value(), "A");
}

TEST(Percent, RefusesBadEscapesAndControlCharacters) {
  for (const auto* text : {"%", "%4", "%zz", "%4g", "a%00", "%0a", "\x7F"}) EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(ParseTarget, SplitsBeforeItDecodes) {
  const auto target = parse_target("/v1/a%2Fb/c?x=1%262&y&z=");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/a%2Fb/c");
  EXPECT_EQ(target->segments, (std::vector<std::string>{"v1", "a/b", "c"}));
  EXPECT_EQ(target->query.at("x"), "1&2");
  EXPECT_EQ(target->query.at("y"), "");
  EXPECT_EQ(target->query.size(), 3U);
}

TEST(ParseUrl, ReadsHostPortAndPrefix) {
  const auto plain = parse_url("http://127.0.0.1:8080");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, 8080);
  EXPECT_EQ(plain->path, "");
  const auto v6 = parse_url("http://[::1]:9/api/");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 9);
  EXPECT_EQ(v6->path, "/api");
  EXPECT_EQ(parse_url("http://localhost")->port, 80);
  EXPECT_FALSE(plain->tls);
  EXPECT_TRUE(parse_url("https://192.0.2.7:8443/")->tls);
  EXPECT_EQ(parse_url("https://192.0.2.7")->port, 443);
}

TEST(ParseUrl, SaysWhatIsWrong) {
  for (const auto* text : {"", "127.0.0.1:80", "http://", "http://:80", "http://a:0", "http://a:65536", "http://a:x",
                           "http://a:", "http://u@a", "http://a?x", "http://[::1", "http://[::1]80", "http://a b"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code(), Code::kInvalidArgument) << text;
  }
}

TEST(LoopbackAddress, AcceptsLoopbackOnly) {
  EXPECT_EQ(loopback_address("localhost").value(), "127.0.0.1");
  EXPECT_TRUE(loopback_address("127.8.9.1"));
  EXPECT_TRUE(loopback_address("::1"));
  for (const auto* host : {"0.0.0.0", "128.0.0.1", "::", "::ffff:127.0.0.1", "127.1", "localhost.", ""}) {
    EXPECT_FALSE(loopback_address(host)) << host;
  }
}

TEST(ListeningAddress, IsAnyWithTlsAndLoopbackWithout) {
  for (const auto* host : {"0.0.0.0", "192.0.2.7", "::", "127.0.0.1"})
    EXPECT_EQ(listening_address(host, true).value(), host);
  EXPECT_FALSE(listening_address("0.0.0.0", false));
  EXPECT_TRUE(listening_address("127.0.0.1", false));
  EXPECT_FALSE(listening_address("west.example", true));
}

TEST(Query, ReadsIntegersWithinTheirRange) {
  Request request;
  request.query = {{"limit", "5"}, {"bad", "5x"}};
  EXPECT_EQ(request.query_integer_or("limit", 1, 0, 9).value(), 5);
  EXPECT_EQ(request.query_integer_or("absent", 1, 0, 9).value(), 1);
  EXPECT_FALSE(request.query_integer_or("limit", 1, 0, 4));
  EXPECT_FALSE(request.query_integer_or("bad", 1, 0, 9));
}

} // namespace
} // namespace tcfdl::http
