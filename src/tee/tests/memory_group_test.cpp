#include "base/file.hpp"
#include "tee/memory_group.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace tcfdl::tee {
namespace {

/// Trees of files in place of the kernel's: they have what is read, and take what is written.
class MemoryGroupTest : public testing::Test {
protected:
  void add(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    ASSERT_TRUE(write_file(root_.path() / path, as_bytes(content)));
  }
  void mounted(const std::string& type, const std::string& options, const std::string& root = "/") {
    add("proc/mountinfo", fmt::format("30 23 0:26 {} {} rw,relatime shared:9 - {} cgroup rw,{}\n", root,
                                      (root_.path() / "fs").string(), type, options));
  }
  Result<MemoryGroups> find() { return MemoryGroups::find(root_.path() / "proc"); }

  TemporaryDirectory root_;
};

TEST_F(MemoryGroupTest, SaysWhyThereIsNone) {
  add("proc/mountinfo", "22 1 0:21 / / rw - ext4 /dev/vda rw\n");
  add("proc/cgroup", "0::/\n");
  EXPECT_THAT(find().error().message(), testing::HasSubstr("mounted"));
  mounted("cgroup2", "nsdelegate");
  add("fs/cgroup.procs", "");
  add("fs/cgroup.controllers", "cpu pids\n");
  EXPECT_THAT(find().error().message(), testing::HasSubstr("memory controller"));
  mounted("cgroup", "cpu,cpuacct");
  EXPECT_FALSE(find());
}

TEST_F(MemoryGroupTest, MakesNoGroupWhereTheKernelGivesNoLimit) {
  mounted("cgroup", "memory");
  add("proc/cgroup", "4:memory:/box\n");
  add("fs/box/cgroup.procs", "");
  EXPECT_THAT(find().error().message(), testing::HasSubstr("memory.limit_in_bytes"));
  mounted("cgroup2", "nsdelegate");
  add("proc/cgroup", "0::/box\n");
  add("fs/box/cgroup.controllers", "memory\n");
  add("fs/box/cgroup.subtree_control", "");
  EXPECT_THAT(find().error().message(), testing::HasSubstr("beside it"));
}

TEST(MemoryGroup, HoldsALimitOnThisMachine) {
  const auto groups = MemoryGroups::find();
  if (!groups) GTEST_SKIP() << groups.error().message();
  const auto group = groups->make("test", std::uint64_t{16} << 20U);
  ASSERT_TRUE(group) << group.error().to_string();
  EXPECT_TRUE((*group)->door());
  EXPECT_EQ((*group)->kills(), 0U);
}

} // namespace
} // namespace tcfdl::tee
