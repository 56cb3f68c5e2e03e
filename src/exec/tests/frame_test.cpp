#include "exec/frame.hpp"

#include "exec/tests/fakes.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::exec {
namespace {

using testing::HasSubstr;

TEST(Frame, RequestHeadIsAsDocumented) {
  const FakeTask task;
  const auto head = request_head(task, 0x0102);
  const auto size = std::size_t{head[2]} << 8U | head[3];
  ASSERT_EQ(head.size(), 4 + size + 8);
  const auto header = nlohmann::json::parse(head.begin() + 4, head.end() - 8);
  EXPECT_EQ(
      header,
      (nlohmann::json{
          {"task_id", task.task_id()}, {"caller", "alice"}, {"content_type", "text/plain"}, {"time_left_ms", 60'000}}));
  EXPECT_EQ(Bytes(head.end() - 8, head.end()), (Bytes{0, 0, 0, 0, 0, 0, 1, 2}));
}

TEST(Frame, ReadsSuccessAndRefusal) {
  const auto good = parse_answer_header(as_bytes(R"({"ok":true})"));
  ASSERT_TRUE(good);
  EXPECT_FALSE(*good);
  const auto bad = parse_answer_header(as_bytes(R"({"ok":false,"code":"NOT_FOUND","message":"no page 3"})"));
  ASSERT_TRUE(bad && *bad);
  EXPECT_EQ((*bad)->to_string(), "NOT_FOUND: no page 3");
}

TEST(Frame, SaysHowAHeaderBreaksTheFormat) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"hello", "no JSON object"},
      {"[]", "no JSON object"},
      {"{}", "no 'ok'"},
      {R"({"ok":1})", "no 'ok'"},
      {R"({"ok":true,"status":200})", "unknown key 'status'"},
      {R"({"ok":false,"message":"x"})", "no text 'code'"},
      {R"({"ok":false,"code":"INTERNAL","message":3})", "no text 'message'"},
      {std::string(60'000, '['), "no JSON object"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = parse_answer_header(as_bytes(text));
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), Code::kInternal);
    EXPECT_THAT(parsed.error().message(), HasSubstr(why));
  }
}

} // namespace
} // namespace tcfdl::exec
