#include "function_manager/settings.hpp"

#include <gmock/gmock.h>

namespace tcfdl::function_manager {
namespace {

std::string refusal(const std::string& json) {
  const auto settings = parse_settings(json);
  EXPECT_FALSE(settings) << json;
  if (settings) return "";
  EXPECT_EQ(settings.error().code(), Code::kInvalidArgument);
  return settings.error().message();
}

TEST(Settings, RoundTrip) {
  const auto settings = parse_settings(
      R"({"scale":{"min":0,"max":9,"response_time_ms":250},"resources":{"memory":1048576,"millicores":500,)"
      R"("most_millicores":1500,"processes":64},)"
      R"("labels":{"zone":"kerb"},"health":{"ready_within_ms":60000,"trial_ms":0,"failures":5}})");
  ASSERT_TRUE(settings) << settings.error().to_string();
  EXPECT_EQ(settings->scale, (Scale{0, 9, 250}));
  EXPECT_EQ(settings->resources.memory, 1048576U);
  EXPECT_EQ(settings->resources.most_millicores, 1500U);
  EXPECT_EQ(settings->resources.processes, 64U);
  EXPECT_EQ(settings->labels.at("zone"), "kerb");
  EXPECT_EQ(settings->health, (Health{.ready_within_ms = 60'000, .trial_ms = 0, .failures = 5}));
  EXPECT_EQ(parse_settings(write_settings(*settings)).value(), *settings);
}

TEST(Settings, HaveDefaults) {
  EXPECT_EQ(parse_settings("").value(), FunctionSettings());
  EXPECT_EQ(parse_settings("{}").value(), FunctionSettings());
  EXPECT_EQ(parse_settings(R"({"scale":{"min":7}})").value().scale, (Scale{7, 7}));
}

TEST(Settings, RefuseWhatTheyDoNotKnow) {
  EXPECT_THAT(refusal(R"({"scales":{}})"), testing::HasSubstr("scales"));
  EXPECT_THAT(refusal(R"({"scale":{"least":1}})"), testing::HasSubstr("least"));
  EXPECT_THAT(refusal(R"({"scale":{"min":3,"max":2}})"), testing::HasSubstr("min is 3"));
  EXPECT_THAT(refusal(R"({"scale":{"max":0,"min":0}})"), testing::HasSubstr("at least 1"));
  EXPECT_THAT(refusal(R"({"scale":{"min":-1}})"), testing::HasSubstr("min"));
  EXPECT_THAT(refusal(R"({"scale":{"max":1001}})"), testing::HasSubstr("max"));
  EXPECT_THAT(refusal(R"({"resources":{"processes":15}})"), testing::HasSubstr("16 or more"));
  EXPECT_THAT(refusal(R"({"resources":{"millicores":2000,"most_millicores":1000}})"),
              testing::HasSubstr("1000 are below the 2000"));
  EXPECT_THAT(refusal(R"({"scale":[]})"), testing::HasSubstr("scale"));
  EXPECT_THAT(refusal(R"({"resources":{"memory":"1GiB"}})"), testing::HasSubstr("memory"));
  EXPECT_THAT(refusal(R"({"labels":{"a":1}})"), testing::HasSubstr("labels"));
  EXPECT_THAT(refusal(R"({"health":{"trial":1}})"), testing::HasSubstr("trial"));
  EXPECT_THAT(refusal(R"({"health":{"overdue_ms":999}})"), testing::HasSubstr("at least 1000 ms"));
  EXPECT_THAT(refusal(R"({"health":{"answer_within_ms":3600001}})"), testing::HasSubstr("answer_within_ms"));
  EXPECT_THAT(refusal(R"({"health":{"failures":0}})"), testing::HasSubstr("failures"));
  EXPECT_THAT(refusal(R"({"scale":{},"scale":{}})"), testing::HasSubstr("twice"));
  EXPECT_THAT(refusal("[]"), testing::HasSubstr("object"));
  EXPECT_THAT(refusal("{"), testing::HasSubstr("JSON"));
}

} // namespace
} // namespace tcfdl::function_manager
