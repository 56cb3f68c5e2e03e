#include "base/schedule.hpp"

#include "base/rfc3339.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

/// The first times after a moment, as people read them.
std::vector<std::string> times(std::string_view schedule, const std::string& after, std::size_t count = 1) {
  const auto parsed = Schedule::parse(schedule);
  EXPECT_TRUE(parsed) << parsed.error().to_string();
  std::vector<std::string> all;
  auto at = from_rfc3339(after).value();
  while (parsed && all.size() < count) {
    at = parsed->next(at);
    all.push_back(to_rfc3339(at));
  }
  return all;
}
using Times = std::vector<std::string>;

TEST(Schedule, ComesEveryMinute) {
  EXPECT_EQ(times("* * * * *", "2026-03-01T12:00:00Z", 2), (Times{"2026-03-01T12:01:00Z", "2026-03-01T12:02:00Z"}));
  EXPECT_EQ(times("* * * * *", "2026-03-01T12:00:59Z"), (Times{"2026-03-01T12:01:00Z"}));
}

TEST(Schedule, KnowsListsRangesAndSteps) {
  EXPECT_EQ(times("*/20 9-10 * * *", "2026-03-01T09:30:00Z", 4),
            (Times{"2026-03-01T09:40:00Z", "2026-03-01T10:00:00Z", "2026-03-01T10:20:00Z", "2026-03-01T10:40:00Z"}));
  EXPECT_EQ(times("5,50 0 * * *", "2026-03-01T00:10:00Z", 2), (Times{"2026-03-01T00:50:00Z", "2026-03-02T00:05:00Z"}));
  EXPECT_EQ(times("10/25 0 * * *", "2026-03-01T00:00:00Z", 2), (Times{"2026-03-01T00:10:00Z", "2026-03-01T00:35:00Z"}));
}

TEST(Schedule, KnowsTheCalendar) {
  EXPECT_EQ(times("0 0 29 2 *", "2026-03-01T00:00:00Z"), (Times{"2028-02-29T00:00:00Z"}));
  EXPECT_EQ(times("0 0 31 * *", "2026-04-01T00:00:00Z"), (Times{"2026-05-31T00:00:00Z"}));
  EXPECT_EQ(times("0 6 * * 1", "2026-11-30T07:00:00Z"), (Times{"2026-12-07T06:00:00Z"})); // that day is a Monday
  EXPECT_EQ(times("0 6 * * 7", "2026-11-30T07:00:00Z"), times("0 6 * * 0", "2026-11-30T07:00:00Z"));
}

TEST(Schedule, DayAndWeekdayAreEitherOfThem) {
  EXPECT_EQ(times("0 0 1 * 5", "2026-11-30T00:00:00Z", 2), (Times{"2026-12-01T00:00:00Z", "2026-12-04T00:00:00Z"}));
}

TEST(Schedule, RefusesWhatIsNone) {
  for (const auto* wrong :
       {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
        "5-1 * * * *", "a * * * *", "1- * * * *", ", * * * *", "-1 * * * *", "1/ * * * *", "0 0 30 2 *"}) {
    EXPECT_EQ(Schedule::parse(wrong).error().code(), Code::kInvalidArgument) << wrong;
  }
  EXPECT_FALSE(Schedule::parse(std::string(1000, '*')));
}

} // namespace
} // namespace tcfdl
