#include "base/rfc3339.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(Rfc3339, WritesAndReadsTheSame) {
  EXPECT_EQ(to_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(1'751'328'000), "2025-07-01T00:00:00Z");
  for (const UnixSeconds time : {-1L, 0L, 951'782'399L, 1'709'164'800L, 4'102'444'799L}) {
    EXPECT_EQ(from_rfc3339(to_rfc3339(time)).value(), time);
  }
  EXPECT_EQ(to_rfc3339(999'999'999'999), "999999999999");
}

TEST(Rfc3339, ReadsOffsetsFractionsAndDates) {
  EXPECT_EQ(from_rfc3339("2025-07-01").value(), 1'751'328'000);
  EXPECT_EQ(from_rfc3339("2025-07-01T02:00:00+02:00").value(), 1'751'328'000);
  EXPECT_EQ(from_rfc3339("2025-06-30T23:30:00.999-00:30").value(), 1'751'328'000);
}

TEST(Rfc3339, RefusesTheRest) {
  for (const auto* text :
       {"", "2025", "2025-07-01T", "2025-02-30T00:00:00Z", "2025-13-01T00:00:00Z", "2025-07-01T24:00:00Z",
        "2025-07-01T00:60:00Z", "2025-07-01T00:00:60Z", "2025-07-01T00:00:00", "2025-07-01T00:00:00Zx",
        "2025-07-01T00:00:00.Z", "2025-7-1T00:00:00Z", "-025-07-01T00:00:00Z", "2025-07-01T00:00:00+2"}) {
    EXPECT_FALSE(from_rfc3339(text)) << text;
  }
}

} // namespace
} // namespace tcfdl
