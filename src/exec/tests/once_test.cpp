#include "exec/once.hpp"

#include "exec/tests/fakes.hpp"

#include <gmock/gmock.h>

namespace tcfdl::exec {
namespace {

using testing::HasSubstr;

class OnceTest : public testing::Test {
protected:
  Status run(Command command, std::string body) {
    reader.emplace(std::move(body));
    return Once(launcher, std::move(command)).run(task, *reader, writer);
  }
  Status shell(const std::string& script, std::string body = {}) { return run({"sh", "-c", script}, std::move(body)); }

  Launcher launcher;
  FakeTask task;
  std::optional<TextReader> reader;
  TextWriter writer;
};

TEST_F(OnceTest, PassesALargeBodyThroughBothWaysAtOnce) {
  const auto body = long_text(std::size_t{16} << 20U);
  const auto done = run({"cat"}, body);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_TRUE(writer.text() == body);
}

TEST_F(OnceTest, TellsTheProgramItsTask) {
  const auto done = shell("echo $TCFDL_TASK_ID $TCFDL_CALLER $TCFDL_CONTENT_TYPE; test $TCFDL_DEADLINE_MS -gt 1");
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(writer.text(), "0190b7a0-0000-7000-8000-000000000001 alice text/plain\n");
}

TEST_F(OnceTest, ReportsExitCodeAndStderr) {
  const auto done = shell("cat; echo 'no such plate' >&2; exit 3", "abc");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().to_string(), "INTERNAL: sh ended with exit code 3; its stderr ends with: no such plate");
  EXPECT_EQ(writer.text(), ""); // a small result is held back until the program succeeded
}

TEST_F(OnceTest, ReportsTheSignal) {
  const auto done = shell("kill -SEGV $$");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().to_string(), "INTERNAL: sh ended with signal 11 (Segmentation fault)");
}

TEST_F(OnceTest, UsageAndDataErrorsAreTheCallers) {
  for (const auto* script : {"echo 'not JSON' >&2; exit 64", "echo 'not JSON' >&2; exit 65"}) {
    const auto done = shell(script);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(done.error().message(), HasSubstr("not JSON"));
  }
}

TEST_F(OnceTest, AProgramNeedNotReadItsBody) {
  const auto done = shell("echo done", long_text(std::size_t{4} << 20U));
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(writer.text(), "done\n");
  EXPECT_LT(reader->position(), std::size_t{1} << 20U);
}

TEST_F(OnceTest, AProgramMayWriteBeforeItReads) {
  const auto done = shell("head -c 1000000 /dev/zero; cat", long_text(1'000'000));
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(writer.text().size(), 2'000'000U);
}

TEST_F(OnceTest, CancellingKills) {
  writer.on_write([this](const std::string&) { task.cancel(); });
  const auto done = shell("head -c 100000 /dev/zero; sleep 1000");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kCancelled);
}

TEST_F(OnceTest, TheDeadlineKills) {
  task.set_time_left(std::chrono::milliseconds(50));
  const auto done = shell("sleep 1000", long_text(1'000'000));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kDeadlineExceeded);
}

TEST_F(OnceTest, ABrokenBodyNeverLooksWhole) {
  TextReader broken("half");
  broken.fail_at_end(Error(Code::kDataLoss, "a segment is forged"));
  const auto done = Once(launcher, {"cat"}).run(task, broken, writer);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kDataLoss);
  EXPECT_EQ(writer.text(), "");
}

TEST_F(OnceTest, DescendantsThatKeepThePipesDoNotHoldTheTask) {
  const auto done = shell("setsid sleep 5 & echo done");
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(writer.text(), "done\n");
}

} // namespace
} // namespace tcfdl::exec
