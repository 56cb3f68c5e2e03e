#include "base/log_file.hpp"

#include "base/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(BoundLogFile, MovesALargeFileAsideAndItsWriterGoesOn) {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "worker.log";
  const UniqueFd writer(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  ASSERT_TRUE(write_all(writer.get(), as_bytes(std::string_view("a long line\n"))));
  ASSERT_TRUE(bound_log_file(file, 12));
  EXPECT_EQ(read_text_file(file).value(), "a long line\n") << "it is not larger than the bound";
  ASSERT_TRUE(write_all(writer.get(), as_bytes(std::string_view("another\n"))));
  ASSERT_TRUE(bound_log_file(file, 12));
  ASSERT_TRUE(write_all(writer.get(), as_bytes(std::string_view("next\n"))));
  EXPECT_EQ(read_text_file(file).value(), "next\n");
  EXPECT_EQ(read_text_file(directory.path() / "worker.log.1").value(), "a long line\nanother\n");
  ASSERT_TRUE(write_all(writer.get(), as_bytes(std::string_view("and so on\n"))));
  ASSERT_TRUE(bound_log_file(file, 12));
  EXPECT_EQ(read_text_file(directory.path() / "worker.log.1").value(), "next\nand so on\n") << "one file is kept";
}

TEST(BoundLogFile, LeavesWhatIsMissingMissing) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(bound_log_file(directory.path() / "none.log"));
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "none.log"));
}

} // namespace
} // namespace tcfdl
