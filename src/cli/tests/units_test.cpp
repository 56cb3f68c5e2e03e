#include "base/units.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

using std::chrono::milliseconds;

TEST(Units, ReadSizes) {
  EXPECT_EQ(parse_size("0B").value(), 0U);
  EXPECT_EQ(parse_size("17B").value(), 17U);
  EXPECT_EQ(parse_size("4KiB").value(), 4096U);
  EXPECT_EQ(parse_size("512MiB").value(), 512ULL << 20U);
  EXPECT_EQ(parse_size("1024TiB").value(), 1ULL << 50U);
}

TEST(Units, RefuseSizesThatAreAmbiguousOrTooLarge) {
  for (const auto* text : {"", "512", "MiB", "512MB", "512mib", "1.5GiB", "-1B", "+1B", " 1B", "1 B", "1B ", "0x1B",
                           "1025TiB", "99999999999999999999B", "18446744073709551615TiB"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code(), Code::kInvalidArgument) << text;
  }
  EXPECT_NE(parse_size("512MB").error().message().find("write it as 512MiB"), std::string::npos);
}

TEST(Units, ReadDurations) {
  EXPECT_EQ(parse_duration("200ms").value(), milliseconds(200));
  EXPECT_EQ(parse_duration("5s").value(), milliseconds(5000));
  EXPECT_EQ(parse_duration("2m").value(), milliseconds(120'000));
  EXPECT_EQ(parse_duration("1h").value(), milliseconds(3'600'000));
  EXPECT_EQ(parse_duration("3d").value(), milliseconds(259'200'000));
}

TEST(Units, RefuseDurationsWithoutAUnitOrTooLong) {
  for (const auto* text : {"", "5", "s", "1.5s", "5 s", "5sec", "-5s", "3651d", "1h30m"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

} // namespace
} // namespace tcfdl
