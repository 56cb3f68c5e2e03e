#include "instance_manager/system_status.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace tcfdl::instance_manager {
namespace {

TEST(SystemStatus, TellsOfThisMachine) {
  wire::NodeStatus status;
  fill_system_status(status);
  EXPECT_GT(status.memory_total(), status.memory_available());
  EXPECT_GT(status.memory_available(), 0U);
  EXPECT_GT(status.cores(), 0U);
}

class UsageTest : public ::testing::Test {
protected:
  void add(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    ASSERT_TRUE(write_file(root_.path() / path, as_bytes(content)));
  }
  wire::InstanceStatus usage(const std::vector<std::string>& groups) {
    wire::InstanceStatus status;
    status.set_pid(static_cast<std::uint32_t>(::getpid()));
    std::vector<std::filesystem::path> paths;
    for (const auto& group : groups) paths.push_back(root_.path() / group);
    fill_usage(status, paths);
    return status;
  }
  TemporaryDirectory root_;
};

TEST_F(UsageTest, IsReadFromGroupsOfBothVersions) {
  add("v2/memory.current", "4096\n");
  add("v2/pids.current", "7\n");
  add("v2/cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
  const auto two = usage({"v2"});
  EXPECT_EQ(two.memory(), 4096U);
  EXPECT_EQ(two.processes(), 7U);
  EXPECT_EQ(two.cpu_us(), 1234U);
  add("memory/memory.usage_in_bytes", "8192\n");
  add("pids/pids.current", "3\n");
  add("cpu/cpu.stat", "nr_periods 5\nnr_throttled 2\n");
  add("cpuacct/cpuacct.usage", "5000000\n");
  const auto one = usage({"cpu", "cpuacct", "memory", "pids"});
  EXPECT_EQ(one.memory(), 8192U);
  EXPECT_EQ(one.processes(), 3U);
  EXPECT_EQ(one.cpu_us(), 5000U);
}

TEST_F(UsageTest, WithoutGroupsIsTheProcesssMemoryAlone) {
  const auto alone = usage({});
  EXPECT_GT(alone.rss(), 1'000'000U);
  EXPECT_EQ(alone.memory(), 0U);
  EXPECT_EQ(usage({"gone"}).cpu_us(), 0U);
}

} // namespace
} // namespace tcfdl::instance_manager
