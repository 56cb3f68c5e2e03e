#include "base/ids.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(FunctionName, AcceptsPartsAndRefusesTheRest) {
  for (const auto* good : {"echo", "plates/read", "a/b.c/d_e-f", "0"}) EXPECT_TRUE(parse_function_name(good)) << good;
  for (const auto* bad : {"", "/", "a/", "/a", "a//b", "A", "a b", "../a", "a/.b", "a\n"})
    EXPECT_FALSE(parse_function_name(bad)) << bad;
  EXPECT_FALSE(parse_function_name(std::string(129, 'a')));
}

TEST(Label, AcceptsDnsLabelsOnly) {
  EXPECT_TRUE(check_label("road-1", "cluster"));
  for (const auto* bad : {"", "-a", "a-", "a.b", "A"}) EXPECT_FALSE(check_label(bad, "cluster")) << bad;
}

TEST(Uuid, IsOfVersion7AndUnique) {
  const auto first = make_uuid();
  EXPECT_TRUE(is_uuid(first));
  EXPECT_EQ(first[14], '7');
  EXPECT_NE(first, make_uuid());
  EXPECT_FALSE(is_uuid("no"));
}

} // namespace
} // namespace tcfdl
