#include "instance_manager/backoff.hpp"

#include <gtest/gtest.h>

namespace tcfdl::instance_manager {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongest) {
  Backoff backoff({.first = milliseconds(100), .longest = milliseconds(350)});
  EXPECT_EQ(backoff.next(0), milliseconds(100));
  EXPECT_EQ(backoff.next(0), milliseconds(200));
  EXPECT_EQ(backoff.next(0), milliseconds(350));
  EXPECT_EQ(backoff.next(0), milliseconds(350));
}

TEST(Backoff, IsShortenedByUpToAFifth) {
  EXPECT_EQ(Backoff({}).next(0.5), milliseconds(90));
  EXPECT_GE(Backoff({}).next(0.999), milliseconds(80));
}

TEST(Backoff, BeginsAnewAfterALongRunOnly) {
  Backoff backoff({});
  (void)backoff.next(0);
  backoff.ran(std::chrono::seconds(59));
  EXPECT_EQ(backoff.next(0), milliseconds(200));
  backoff.ran(std::chrono::seconds(60));
  EXPECT_EQ(backoff.next(0), milliseconds(100));
}

} // namespace
} // namespace tcfdl::instance_manager
