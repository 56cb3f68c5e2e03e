#include "instance_manager/instance_logs.hpp"

#include "base/file.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace tcfdl::instance_manager {
namespace {

class InstanceLogsTest : public ::testing::Test {
protected:
  void print(const std::string& function, const std::string& instance, std::string_view text, int age = 0) {
    const auto path = logs_.prepare(FunctionName(function), InstanceId(instance));
    ASSERT_TRUE(path) << path.error().to_string();
    ASSERT_TRUE(write_file(*path, as_bytes(text)));
    std::filesystem::last_write_time(*path, std::filesystem::file_time_type::clock::now() - std::chrono::minutes(age));
  }
  TemporaryDirectory directory_;
  InstanceLogs logs_{directory_.path()};
};

TEST_F(InstanceLogsTest, GivesTheEndsOfTheNewestFilesWithinTheLimit) {
  print("a/b", "old", "0123456789", 5);
  print("a/b", "new", "abcd");
  print("a", "other", "not this function's");
  const auto logs = logs_.read(FunctionName("a/b"), 7);
  ASSERT_EQ(logs.logs_size(), 2);
  EXPECT_EQ(logs.logs(0).instance(), "new");
  EXPECT_EQ(logs.logs(0).text(), "abcd");
  EXPECT_EQ(logs.logs(1).text(), "789");
}

TEST_F(InstanceLogsTest, AreEmptyForAFunctionThatNeverRan) {
  EXPECT_EQ(logs_.read(FunctionName("never"), 100).logs_size(), 0);
}

/// What was printed since the last time, of one instance.
class Following {
public:
  Following(const InstanceLogs& logs, const std::string& function) : logs_(logs), function_(function) {}
  std::string more(std::size_t most = 1000) {
    std::string text;
    const auto read = logs_.read_on(function_, positions_, most);
    for (const auto& log : read.logs()) {
      (*positions_.mutable_positions())[log.instance()] = log.end();
      text += log.text();
    }
    return text;
  }
  void begin_at(const wire::InstanceLog& log) { (*positions_.mutable_positions())[log.instance()] = log.end(); }

private:
  const InstanceLogs& logs_;
  const FunctionName function_;
  wire::LogPositions positions_;
};

void append(const std::filesystem::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary | std::ios::app) << text;
}

TEST_F(InstanceLogsTest, GoOnWhereTheyWereRead) {
  const auto file = logs_.prepare(FunctionName("a"), InstanceId("i")).value();
  append(file, "before");
  Following following(logs_, "a");
  following.begin_at(logs_.read(FunctionName("a"), 3).logs(0));
  EXPECT_EQ(following.more(), "");
  append(file, " one");
  EXPECT_EQ(following.more(), " one");
  append(file, " two three");
  EXPECT_EQ(following.more(3), " two") << "a part";
  EXPECT_EQ(following.more(), " three");
  Following from_first(logs_, "a");
  EXPECT_EQ(from_first.more(), "before one two three");
}

TEST_F(InstanceLogsTest, AreMovedAsideWhenLargeAndNothingIsLostToWhoFollows) {
  const InstanceLogs small(directory_.path(), 10);
  const auto file = small.prepare(FunctionName("a"), InstanceId("i")).value();
  append(file, "0123456789");
  small.bound();
  EXPECT_EQ(small.read(FunctionName("a"), 100).logs(0).text(), "0123456789");
  Following following(small, "a");
  EXPECT_EQ(following.more(4), "01234");
  append(file, "abc");
  small.bound();
  EXPECT_EQ(std::filesystem::file_size(file), 0U);
  append(file, "XY");
  EXPECT_EQ(following.more(4), "56789") << "of the file that was moved";
  EXPECT_EQ(following.more(), "abcXY");
  EXPECT_EQ(following.more(), "");
  EXPECT_EQ(small.read(FunctionName("a"), 5).logs(0).text(), "abcXY") << "over both files";
  following.begin_at(small.read(FunctionName("a"), 100).logs(0));
  append(file, "Z");
  EXPECT_EQ(following.more(), "Z");
  EXPECT_EQ(small.read(FunctionName("a"), 100).logs_size(), 1) << "the file that was moved is no instance";
}

TEST_F(InstanceLogsTest, KeepTheNewestFilesOnly) {
  print("a", "i0", "text", 100);
  ASSERT_TRUE(write_file(directory_.path() / "a" / "i0.log.1", as_bytes("before")));
  for (int i = 1; i < 20; ++i) print("a", "i" + std::to_string(i), "text", 100 - i);
  const auto logs = logs_.read(FunctionName("a"), 1000);
  EXPECT_EQ(logs.logs_size(), static_cast<int>(InstanceLogs::kKept));
  EXPECT_EQ(logs.logs(0).instance(), "i19");
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "a" / "i0.log.1")) << "nor what they were before";
}

} // namespace
} // namespace tcfdl::instance_manager
