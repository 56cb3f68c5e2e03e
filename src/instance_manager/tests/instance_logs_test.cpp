#include "instance_manager/instance_logs.hpp"

#include "base/file.hpp"

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

TEST_F(InstanceLogsTest, KeepTheNewestFilesOnly) {
  for (int i = 0; i < 20; ++i) print("a", "i" + std::to_string(i), "text", 100 - i);
  const auto logs = logs_.read(FunctionName("a"), 1000);
  EXPECT_EQ(logs.logs_size(), static_cast<int>(InstanceLogs::kKept));
  EXPECT_EQ(logs.logs(0).instance(), "i19");
}

} // namespace
} // namespace tcfdl::instance_manager
