#include "node/pace.hpp"

#include <gtest/gtest.h>

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Pace, IsASecondUntilAMinuteAfterTheLastTask) {
  const Pace::TimePoint start{std::chrono::hours(1)};
  Pace pace({}, start);
  EXPECT_EQ(pace.period(start), seconds(1));
  EXPECT_EQ(pace.period(start + seconds(59)), seconds(1));
  EXPECT_EQ(pace.period(start + seconds(60)), std::chrono::minutes(5));
  pace.stir(start + seconds(100));
  EXPECT_FALSE(pace.is_idle(start + seconds(159)));
  EXPECT_TRUE(pace.is_idle(start + seconds(160)));
}

} // namespace
} // namespace tcfdl::node
