#include "http/router.hpp"

#include <gtest/gtest.h>

namespace tcfdl::http {
namespace {

Route named(std::string name) {
  return {
      .handler = [name](const Request&) { return Response::plain(200, name); }, .stream_handler = {}, .options = {}};
}

class RouterTest : public testing::Test {
protected:
  void add(const std::string& pattern, const std::string& method = "GET") {
    ASSERT_TRUE(router.add(method, pattern, named(pattern)));
  }
  /// The pattern that answers, with its parameters.
  std::string find(const std::vector<std::string>& segments) {
    const auto match = router.find(segments);
    if (!match) return "none";
    std::string text(Router::route_of(*match->resource, "GET")->handler({}).text());
    for (const auto& [name, value] : match->params) text += fmt::format(" {}={}", name, value);
    return text;
  }
  Router router;
};

TEST_F(RouterTest, PrefersTheMostSpecificPattern) {
  add("/f/{name...}");
  add("/f/{name...}/invoke");
  add("/f/{one}");
  add("/f/all");
  EXPECT_EQ(find({"f", "all"}), "/f/all");
  EXPECT_EQ(find({"f", "a"}), "/f/{one} one=a");
  EXPECT_EQ(find({"f", "a", "b"}), "/f/{name...} name=a/b");
  EXPECT_EQ(find({"f", "a", "b", "invoke"}), "/f/{name...}/invoke name=a/b");
  EXPECT_EQ(find({"f", "invoke"}), "/f/{one} one=invoke");
}

TEST_F(RouterTest, PrefersTheLiteralFromTheLeft) {
  add("/{x}/b");
  add("/a/{x}");
  EXPECT_EQ(find({"a", "b"}), "/a/{x} x=b");
  EXPECT_EQ(find({"c", "b"}), "/{x}/b x=c");
}

TEST_F(RouterTest, MatchesNoEmptySegments) {
  add("/f/{name...}");
  add("/g/{one}/x");
  EXPECT_EQ(find({"f", ""}), "none");
  EXPECT_EQ(find({"f", "a", "", "b"}), "none");
  EXPECT_EQ(find({"g", "", "x"}), "none");
  EXPECT_EQ(find({"f"}), "none");
}

TEST_F(RouterTest, KeepsAnEscapedSlashInItsSegment) {
  add("/f/{one}/x");
  EXPECT_EQ(find({"f", "a/b", "x"}), "/f/{one}/x one=a/b");
}

TEST_F(RouterTest, ListsTheMethodsOfAResource) {
  add("/f", "GET");
  add("/f", "POST");
  EXPECT_EQ(Router::allowed(*router.find({"f"})->resource), "GET, HEAD, POST, OPTIONS");
}

TEST_F(RouterTest, RefusesWrongPatternsAndDuplicates) {
  for (const auto* pattern : {"f", "", "/{", "/{}", "/{...}", "/a{b}", "/{a...}/{b...}", "/{a.b}"}) {
    EXPECT_FALSE(router.add("GET", pattern, named("x"))) << pattern;
  }
  add("/f/{a}");
  EXPECT_EQ(router.add("GET", "/f/{a}", named("x")).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(router.add("PUT", "/f/{b}", named("x")).error().code(), Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::http
