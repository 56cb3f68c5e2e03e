#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace tcfdl {
namespace {

TEST(File, ReplacesContentAndKeepsTheModeAskedFor) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "secret";
  ASSERT_TRUE(write_file(path, as_bytes("one"), kPrivateFile));
  ASSERT_TRUE(write_file(path, as_bytes("two"), kPrivateFile));
  EXPECT_EQ(read_text_file(path).value(), "two");
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(File, ThatIsRegularIsReadIntoABufferOfItsSize) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "some";
  ASSERT_TRUE(write_file(path, as_bytes("seven..")));
  const auto read = read_regular_file(path, 7);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(as_text(*read), "seven..");
  EXPECT_EQ(read_regular_file(path, 6).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(read_regular_file(directory.path() / "none", 6).error().code(), Code::kNotFound);
  const auto pipe = directory.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_regular_file(pipe, 6).error().code(), Code::kInvalidArgument) << "and nobody waits for a writer";
}

TEST(File, NamesTheMissingAndTheTooLarge) {
  const TemporaryDirectory directory;
  const auto missing = read_file(directory.path() / "none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  ASSERT_TRUE(write_file(directory.path() / "big", Bytes(100, 7)));
  const auto large = read_file(directory.path() / "big", 99);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), Code::kResourceExhausted);
}

TEST(PrivateFile, IsReadWhereItIsItsOwnersAlone) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "secret";
  ASSERT_TRUE(write_file(path, as_bytes("word"), kPrivateFile));
  EXPECT_EQ(as_text(read_private_file(path, 4).value()), "word");
  EXPECT_EQ(read_private_file(path, 3).error().code(), Code::kResourceExhausted);
  for (const auto mode : {0640U, 0604U, 0620U, 0601U}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto refused = read_private_file(path, 4);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
    EXPECT_NE(refused.error().message().find("chmod 600"), std::string::npos);
  }
  EXPECT_EQ(read_private_file(directory.path(), 4).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(read_private_file(directory.path() / "none", 4).error().code(), Code::kNotFound);
}

TEST(FileTail, IsTheLastLines) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "log";
  EXPECT_EQ(file_tail(path, 3), "");
  ASSERT_TRUE(write_file(path, as_bytes("one\ntwo\nthree\nfour\n")));
  EXPECT_EQ(file_tail(path, 3), "two\nthree\nfour");
  EXPECT_EQ(file_tail(path, 9), "one\ntwo\nthree\nfour");
}

TEST(FileTail, OfALongFileIsBounded) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "log";
  ASSERT_TRUE(write_file(path, as_bytes(std::string(100'000, 'x') + "\nend\n")));
  const auto tail = file_tail(path, 20);
  EXPECT_TRUE(tail.ends_with("x\nend"));
  EXPECT_LE(tail.size(), 8192U);
}

} // namespace
} // namespace tcfdl
