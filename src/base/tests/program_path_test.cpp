#include "base/program_path.hpp"

#include "base/file.hpp"

#include <cstdlib>
#include <gmock/gmock.h>

namespace tcfdl {
namespace {

using testing::HasSubstr;

/// PATH is as before at the end.
class ProgramPath : public testing::Test {
protected:
  void TearDown() override { ::setenv("PATH", before_.c_str(), 1); }
  std::filesystem::path make(const std::string& name, mode_t mode) {
    const auto path = directory_.path() / name;
    EXPECT_TRUE(write_file(path, as_bytes("#!/bin/sh\n"), mode));
    return path;
  }

  TemporaryDirectory directory_;

private:
  const std::string before_ = std::getenv("PATH");
};

TEST_F(ProgramPath, TakesTheFirstOfPathThatCanBeExecuted) {
  const auto program = make("tcfdl-wanted", 0755);
  ::setenv("PATH", ("/nowhere::" + directory_.path().string()).c_str(), 1);
  EXPECT_EQ(find_program("tcfdl-wanted").value(), program.string());
}

TEST_F(ProgramPath, PassesOverWhatCannotBeExecuted) {
  make("tcfdl-wanted", 0644);
  ::setenv("PATH", directory_.path().c_str(), 1);
  const auto found = find_program("tcfdl-wanted");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Code::kNotFound);
  EXPECT_THAT(found.error().message(), HasSubstr("`tcfdl-wanted` is not installed"));
}

TEST_F(ProgramPath, LooksInTheUsualDirectoriesWithoutPath) {
  ::unsetenv("PATH");
  EXPECT_TRUE(find_program("env"));
}

TEST_F(ProgramPath, TakesANameWithASlashAsItIs) {
  const auto program = make("tcfdl-wanted", 0755);
  EXPECT_EQ(find_program(program.string()).value(), program.string());
  EXPECT_EQ(find_program("/nowhere/tcfdl").error().code(), Code::kNotFound);
}

} // namespace
} // namespace tcfdl
