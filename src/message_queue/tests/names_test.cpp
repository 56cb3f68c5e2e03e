#include "message_queue/names.hpp"

#include <gtest/gtest.h>

namespace tcfdl::message_queue {
namespace {

TEST(Names, TakesSubjectsAndRefusesWhatWouldBreakTheProtocol) {
  for (const auto* good : {"a", "tcfdl.tasks.x-1_y", "$JS.API.INFO"}) EXPECT_TRUE(check_subject(good)) << good;
  for (const auto* bad : {"", ".", "a.", ".a", "a..b", "a b", "a\r\nPUB x 0", "a.*", "a.>", "\xc3\xa4", "a\tb"}) {
    EXPECT_FALSE(check_subject(bad)) << bad;
  }
  EXPECT_TRUE(check_subject(std::string(255, 'a')));
  EXPECT_FALSE(check_subject(std::string(256, 'a')));
}

TEST(Names, TakesWildcardsInFiltersAtTheirPlaces) {
  for (const auto* good : {"a", "*", ">", "a.*.b", "a.>"}) EXPECT_TRUE(check_filter(good)) << good;
  for (const auto* bad : {"a.>.b", "a*", "a.b>", "> x"}) EXPECT_FALSE(check_filter(bad)) << bad;
}

TEST(Names, TakesKeysAndBucketsThatTheStoreTakes) {
  for (const auto* good : {"a", "node/1.state=up", "A_b-c"}) EXPECT_TRUE(check_key(good)) << good;
  for (const auto* bad : {"", ".a", "a.", "a..b", "a b", "a*", "a>", "ä"}) EXPECT_FALSE(check_key(bad)) << bad;
  EXPECT_TRUE(check_bucket("routes_1-a"));
  for (const auto* bad : {"", "a.b", "a b", "a/b"}) EXPECT_FALSE(check_bucket(bad)) << bad;
}

} // namespace
} // namespace tcfdl::message_queue
