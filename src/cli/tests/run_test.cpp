#include "cli/run.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>

namespace tcfdl::cli {
namespace {

struct Finished {
  int code;
  std::string out;
  std::string err;
};

Finished call(std::vector<std::string> words) {
  words.insert(words.begin(), "tcfdl");
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(static_cast<int>(arguments.size()), arguments.data());
  auto err = testing::internal::GetCapturedStderr();
  return {code, testing::internal::GetCapturedStdout(), std::move(err)};
}

class RunTest : public testing::Test {
protected:
  void SetUp() override {
    ::setenv("TCFDL_CONTEXT_DIR", directory.path().c_str(), 1);
    ::unsetenv("TCFDL_CONTEXT");
  }
  TemporaryDirectory directory;
};

TEST_F(RunTest, RefusesWrongCommandLinesWithTwo) {
  for (const auto& words : std::vector<std::vector<std::string>>{{},
                                                                 {"nonsense"},
                                                                 {"status", "--nonsense"},
                                                                 {"function"},
                                                                 {"function", "show"},
                                                                 {"master"},
                                                                 {"invoke", "a", "--timeout", "5"},
                                                                 {"invoke", "a", "--protection", "tls"},
                                                                 {"token", "create"},
                                                                 {"token", "create", "--role", "king"}}) {
    const auto outcome = call(words);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(words) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("tcfdl: INVALID_ARGUMENT: ")) << outcome.err;
  }
}

TEST_F(RunTest, TellsErrorsInOneLineAndWithJsonAsAProblem) {
  const auto plain = call({"status", "--context", "none"});
  EXPECT_EQ(plain.code, 1);
  EXPECT_TRUE(plain.err.starts_with("tcfdl: NOT_FOUND: ")) << plain.err;
  EXPECT_EQ(std::ranges::count(plain.err, '\n'), 1);
  EXPECT_EQ(plain.out, "");
  const auto json = call({"status", "--context", "none", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_NE(json.out.find(R"("code":"NOT_FOUND")"), std::string::npos) << json.out;
}

TEST_F(RunTest, TakesGlobalOptionsBeforeAndAfterTheCommand) {
  EXPECT_NE(call({"--json", "version"}).out.find("\"version\""), std::string::npos);
  EXPECT_NE(call({"version", "--json"}).out.find("\"version\""), std::string::npos);
  EXPECT_EQ(call({"context", "list", "--json"}).code, 0);
}

TEST_F(RunTest, HelpIsASuccess) {
  EXPECT_EQ(call({"--help"}).code, 0);
  EXPECT_EQ(call({"function", "deploy", "--help"}).code, 0);
}

TEST_F(RunTest, CompletesWhatThereIs) {
  const auto outcome = call({"completion", "bash"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find("'tcfdl function deploy'"), std::string::npos);
  EXPECT_NE(outcome.out.find("--no-wait"), std::string::npos);
}

} // namespace
} // namespace tcfdl::cli
