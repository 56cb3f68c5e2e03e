#include "task_manager/trace.hpp"

#include <gtest/gtest.h>

namespace tcfdl::task_manager {
namespace {

const std::string kHead = "time_us,function,service_us,body_bytes,caller,priority,timeout_ms\n";

std::string refusal(const std::string& lines) {
  const auto trace = parse_trace(kHead + lines);
  return trace ? "admitted" : trace.error().message();
}

TEST(Trace, IsReadWithDefaults) {
  const auto trace = parse_trace(kHead + "0,plates/read,1500,4096,camera\r\n7,voice,20,0,anna,high,250\n\n");
  ASSERT_TRUE(trace) << trace.error().message();
  ASSERT_EQ(trace->tasks.size(), 2U);
  EXPECT_EQ(trace->functions[trace->tasks[0].function].str(), "plates/read");
  EXPECT_EQ(trace->tasks[0].service_us, 1500U);
  EXPECT_EQ(trace->tasks[0].body, 4096U);
  EXPECT_EQ(trace->tasks[0].priority, wire::PRIORITY_NORMAL);
  EXPECT_EQ(trace->tasks[0].timeout_ms, 30'000U);
  EXPECT_EQ(trace->callers[trace->tasks[1].caller], "anna");
  EXPECT_EQ(trace->tasks[1].priority, wire::PRIORITY_HIGH);
  EXPECT_EQ(trace->tasks[1].timeout_ms, 250U);
}

TEST(Trace, RefusesWhatItDoesNotUnderstandWithItsLine) {
  EXPECT_FALSE(parse_trace("time,function\n"));
  EXPECT_EQ(refusal("x,f,1,1,c\n").substr(0, 20), "line 2: time_us: 'x'");
  EXPECT_EQ(refusal("0,f,1,1,c\n1,F,1,1,c\n").substr(0, 7), "line 3:");
  EXPECT_NE(refusal("0,f,-1,1,c\n").find("service_us"), std::string::npos);
  EXPECT_NE(refusal("0,f,1,1073741825,c\n").find("body_bytes"), std::string::npos);
  EXPECT_NE(refusal("0,f,1,1,\n").find("caller"), std::string::npos);
  EXPECT_NE(refusal("0,f,1,1,c,top\n").find("'top'"), std::string::npos);
  EXPECT_NE(refusal("0,f,1,1,c,low,1,1\n").find("fields"), std::string::npos);
  EXPECT_NE(refusal("5,f,1,1,c\n4,f,1,1,c\n").find("sort by time"), std::string::npos);
  EXPECT_NE(refusal("0,f,1,1,c,low,99999999999\n").find("timeout_ms"), std::string::npos);
}

TEST(Trace, IsWrittenAsItIsRead) {
  const auto made = generate_trace({.tasks = 500, .functions = 3, .callers = 5, .busy_slots = 4, .seed = 4});
  const auto text = write_trace(made);
  const auto again = parse_trace(text);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(write_trace(*again), text);
}

TEST(Trace, IsGeneratedFromTheSeedAlone) {
  const GeneratorSettings settings{.tasks = 2000, .functions = 3, .callers = 5, .busy_slots = 4, .seed = 4};
  auto other = settings;
  other.seed = 5;
  EXPECT_EQ(write_trace(generate_trace(settings)), write_trace(generate_trace(settings)));
  EXPECT_NE(write_trace(generate_trace(settings)), write_trace(generate_trace(other)));
}

TEST(Trace, IsGeneratedForSoManyBusySlots) {
  const auto trace = generate_trace({.tasks = 2000, .functions = 3, .callers = 5, .busy_slots = 4, .seed = 4});
  const auto work = mean_service_us(trace) * 2000;
  EXPECT_NEAR(work / static_cast<double>(trace.tasks.back().at_us), 4, 0.4);
}

} // namespace
} // namespace tcfdl::task_manager
