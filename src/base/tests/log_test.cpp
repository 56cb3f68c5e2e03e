#include "base/log.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <thread>

namespace tcfdl {
namespace {

using testing::HasSubstr;

constexpr std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1'700'000'000'042)};

std::string line(LogFormat format, std::string_view message) {
  const LogSettings settings{.component = "worker", .node = "rsu-1", .format = format};
  return format_log_line(settings, spdlog::level::warn, kTime, message);
}

TEST(Log, WritesTimeLevelNameAndMessage) {
  EXPECT_EQ(line(LogFormat::kText, "hello"), "2023-11-14T22:13:20.042Z warning worker/rsu-1 hello");
}

TEST(Log, LinesOfAScopeSayWhatTheyAreAbout) {
  const LogScope scope({.task = "t-1", .function = "f/g", .trace = "4bf92f"});
  EXPECT_THAT(line(LogFormat::kText, "hello"), HasSubstr("hello task=t-1 function=f/g trace=4bf92f"));
  const auto json = nlohmann::json::parse(line(LogFormat::kJson, "hello"));
  EXPECT_EQ(json, (nlohmann::json{{"time", "2023-11-14T22:13:20.042Z"},
                                  {"level", "warning"},
                                  {"component", "worker"},
                                  {"node", "rsu-1"},
                                  {"message", "hello"},
                                  {"task", "t-1"},
                                  {"function", "f/g"},
                                  {"trace", "4bf92f"}}));
}

TEST(Log, AScopeEndsWithItsObjectAndTheOneBeforeIsBack) {
  const LogScope outer({.task = "outer"});
  {
    const LogScope inner({.task = "inner"});
    EXPECT_THAT(line(LogFormat::kText, "m"), HasSubstr("task=inner"));
  }
  EXPECT_THAT(line(LogFormat::kText, "m"), HasSubstr("task=outer"));
}

TEST(Log, ScopesAreOfTheirThreads) {
  const LogScope scope({.task = "mine"});
  std::string other;
  std::thread([&] { other = line(LogFormat::kText, "m"); }).join();
  EXPECT_EQ(other.find("task="), std::string::npos);
}

TEST(Log, NoTextOfAPeerBeginsAnotherLine) {
  const std::string forged = "x\n2023-11-14T22:13:20.042Z error master all is lost\x1b[31m";
  for (const auto format : {LogFormat::kText, LogFormat::kJson}) {
    const auto written = line(format, forged);
    EXPECT_EQ(written.find('\n'), std::string::npos);
    EXPECT_EQ(written.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(nlohmann::json::parse(line(LogFormat::kJson, forged)).at("message"), forged);
}

TEST(Log, BytesThatAreNoUtf8DoNotBreakAnObject) {
  EXPECT_TRUE(nlohmann::json::accept(line(LogFormat::kJson, "\xff\xfe")));
}

TEST(Log, KnowsItsFormatsAndLevelsAndNoOthers) {
  EXPECT_EQ(log_format_from_name("json").value(), LogFormat::kJson);
  EXPECT_EQ(log_format_from_name("xml").error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(check_log_level("debug"));
  EXPECT_FALSE(check_log_level("loud"));
}

} // namespace
} // namespace tcfdl
