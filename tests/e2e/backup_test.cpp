// A platform whose state directories were lost and come back from backups.
#include "support/platform.hpp"

#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

namespace fs = std::filesystem;

class Backups : public testing::Test {
protected:
  [[nodiscard]] fs::path node(const std::string& name) const { return platform_.state() / "nodes" / name; }
  [[nodiscard]] fs::path copy(const std::string& name) const { return platform_.root() / "backup" / name; }

  Platform platform_;
};

TEST_F(Backups, OfARunningPlatformBringItBackAfterItsStateWasLost) {
  ASSERT_EQ(platform_.up(), "");
  for (const auto* name : {"echo", "lanes/echo"}) {
    const auto deployed = platform_.deploy(name, "examples-echo");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  ASSERT_EQ(platform_.invoke("echo", "before").out, "before");
  fs::create_directory(platform_.root() / "backup");
  const std::vector<std::string> daemons{"service-manager", "local-master", "worker-1"};
  for (const auto& name : daemons) {
    const auto made = platform_.tcfdl({"backup", "--state", node(name).string(), "--out", copy(name).string()});
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }
  const auto functions = platform_.json({"function", "list"});
  ASSERT_EQ(platform_.tcfdl({"function", "remove", "lanes/echo"}).exit_code, 0);
  ASSERT_EQ(platform_.down().exit_code, 0);
  for (const auto& name : daemons) {
    fs::remove_all(node(name));
    const auto restored = platform_.tcfdl({"restore", "--from", copy(name).string(), "--state", node(name).string()});
    ASSERT_EQ(restored.exit_code, 0) << restored.err;
  }
  ASSERT_EQ(platform_.up(), "");
  EXPECT_EQ(platform_.json({"function", "list"}).size(), functions.size());
  for (const auto* name : {"echo", "lanes/echo"}) {
    EXPECT_TRUE(eventually([&] { return platform_.invoke(name, "after").out == "after"; })) << name;
  }
}

} // namespace
} // namespace tcfdl::test
