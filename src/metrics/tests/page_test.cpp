#include "metrics/page.hpp"

#include <gmock/gmock.h>

namespace tcfdl::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Page, WritesAFamilyOnceWithAllItsFigures) {
  Page page;
  page.counter("tcfdl_things_total", "Things.", std::uint64_t{7}, {{"kind", "a"}});
  page.gauge("tcfdl_depth", "Depth.", 2.5);
  page.counter("tcfdl_things_total", "Things.", std::uint64_t{9'007'199'254}, {{"kind", "b"}});
  EXPECT_EQ(page.text(), "# HELP tcfdl_things_total Things.\n"
                         "# TYPE tcfdl_things_total counter\n"
                         "tcfdl_things_total{kind=\"a\"} 7\n"
                         "tcfdl_things_total{kind=\"b\"} 9007199254\n"
                         "# HELP tcfdl_depth Depth.\n"
                         "# TYPE tcfdl_depth gauge\n"
                         "tcfdl_depth 2.5\n");
}

TEST(Page, EscapesWhatLabelsHold) {
  Page page;
  page.gauge("tcfdl_depth", "Depth.", 1, {{"name", "a\"b\\c\nd"}});
  EXPECT_THAT(page.text(), HasSubstr(R"(tcfdl_depth{name="a\"b\\c\nd"} 1)"));
}

TEST(Page, CountsBucketsCumulativelyUpToInfinity) {
  Durations durations;
  durations.add(0.0001); // a bound belongs to its bucket
  durations.add(0.002);
  durations.add(90);
  Page page;
  page.durations("tcfdl_wait_seconds", "Wait.", durations, {{"function", "f/g"}});
  const auto text = page.text();
  EXPECT_THAT(text, HasSubstr("# TYPE tcfdl_wait_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("tcfdl_wait_seconds_bucket{function=\"f/g\",le=\"0.0001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tcfdl_wait_seconds_bucket{function=\"f/g\",le=\"0.0025\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tcfdl_wait_seconds_bucket{function=\"f/g\",le=\"60\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tcfdl_wait_seconds_bucket{function=\"f/g\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("tcfdl_wait_seconds_count{function=\"f/g\"} 3\n"));
}

TEST(Page, TellsOfItsProcess) {
  Page page;
  page.add_process();
  const auto text = page.text();
  EXPECT_THAT(text, HasSubstr("\nprocess_cpu_seconds_total "));
  for (const auto* name : {"process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + name + " ")) << text;
    EXPECT_THAT(text, Not(HasSubstr(std::string("\n") + name + " 0\n")));
  }
}

} // namespace
} // namespace tcfdl::metrics
