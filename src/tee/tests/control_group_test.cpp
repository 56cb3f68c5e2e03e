#include "base/file.hpp"
#include "tee/control_group.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace tcfdl::tee {
namespace {

using testing::HasSubstr;

/// Trees of files in place of the kernel's: they have what is read, and take what is written.
class ControlGroupTest : public testing::Test {
protected:
  void add(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    ASSERT_TRUE(write_file(root_.path() / path, as_bytes(content)));
  }
  void mounted(const std::string& type, const std::string& options, const std::string& root = "/") {
    add("proc/mountinfo", fmt::format("30 23 0:26 {} {} rw,relatime shared:9 - {} cgroup rw,{}\n", root,
                                      (root_.path() / "fs").string(), type, options));
  }
  std::string why_no_memory() {
    const auto groups = ControlGroups::find(root_.path() / "proc");
    EXPECT_EQ(groups.version(Controller::kMem), 0);
    return groups.why_not(Controller::kMem).message();
  }

  TemporaryDirectory root_;
};

TEST_F(ControlGroupTest, SaysWhyThereIsNone) {
  add("proc/mountinfo", "22 1 0:21 / / rw - ext4 /dev/vda rw\n");
  add("proc/cgroup", "0::/\n");
  EXPECT_THAT(why_no_memory(), HasSubstr("mounted"));
  mounted("cgroup2", "nsdelegate");
  add("fs/cgroup.procs", "");
  add("fs/cgroup.controllers", "cpu pids\n");
  EXPECT_THAT(why_no_memory(), HasSubstr("memory controller"));
  mounted("cgroup", "cpu,cpuacct");
  EXPECT_THAT(why_no_memory(), HasSubstr("mounted"));
  const auto none = ControlGroups::find(root_.path() / "no-proc").make("test", {.memory = 1 << 20U});
  ASSERT_TRUE(none) << none.error().to_string();
  EXPECT_EQ(*none, nullptr);
}

TEST_F(ControlGroupTest, MakesNoGroupWhereTheKernelGivesNoLimit) {
  mounted("cgroup", "memory");
  add("proc/cgroup", "4:memory:/box\n");
  add("fs/box/cgroup.procs", "");
  EXPECT_THAT(why_no_memory(), HasSubstr("memory.limit_in_bytes"));
  mounted("cgroup2", "nsdelegate");
  add("proc/cgroup", "0::/box\n");
  add("fs/box/cgroup.controllers", "memory\n");
  add("fs/box/cgroup.subtree_control", "");
  EXPECT_THAT(why_no_memory(), HasSubstr("beside it"));
}

/// The content of a file that some group has.
std::string text_in(const ControlGroup& group, const std::string& file) {
  for (const auto& path : group.paths()) {
    if (std::filesystem::exists(path / file)) return read_text_file(path / file, 4096).value_or("");
  }
  return {};
}

/// The kernel's own answer to what was written.
TEST(ControlGroup, HoldsLimitsOnThisMachine) {
  const auto groups = ControlGroups::find();
  const auto group = groups.make(
      "test", {.memory = std::uint64_t{16} << 20U, .processes = 77, .millicores = 500, .most_millicores = 1500});
  ASSERT_TRUE(group) << group.error().to_string();
  if (!*group) GTEST_SKIP() << groups.why_not(Controller::kMem).message();
  EXPECT_TRUE((*group)->doors());
  EXPECT_EQ((*group)->kills(), 0U);
  if (const auto version = groups.version(Controller::kMem)) {
    EXPECT_EQ(text_in(**group, version == 2 ? "memory.max" : "memory.limit_in_bytes"), "16777216\n");
  }
  if (groups.version(Controller::kPids) != 0) {
    EXPECT_EQ(text_in(**group, "pids.max"), "77\n");
  }
  if (const auto version = groups.version(Controller::kCpu); version == 2) {
    EXPECT_EQ(text_in(**group, "cpu.max"), "150000 100000\n");
    EXPECT_EQ(text_in(**group, "cpu.weight"), "50\n");
  } else if (version == 1) {
    EXPECT_EQ(text_in(**group, "cpu.cfs_quota_us"), "150000\n");
    EXPECT_EQ(text_in(**group, "cpu.shares"), "512\n");
  }
}

TEST(ControlGroup, IsGoneWithItsObject) {
  std::vector<std::filesystem::path> paths;
  {
    const auto group = ControlGroups::find().make("short", {});
    ASSERT_TRUE(group) << group.error().to_string();
    if (!*group) GTEST_SKIP() << "no control groups can be made here";
    paths = (*group)->paths();
    for (const auto& path : paths) EXPECT_TRUE(std::filesystem::exists(path));
  }
  for (const auto& path : paths) EXPECT_FALSE(std::filesystem::exists(path));
}

} // namespace
} // namespace tcfdl::tee
