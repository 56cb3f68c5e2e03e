// A platform whose state directories were lost and come back from backups.
#include "support/platform.hpp"

#include "base/guarded.hpp"

#include <gmock/gmock.h>
#include <tcfdl/client.hpp>
#include <thread>

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

TEST_F(Backups, OfAMasterThatStoresTasksHaveAllThatWereAcknowledgedBefore) {
  ASSERT_EQ(platform_.up(), "");
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  const auto client = Client::connect("local").value();
  Guarded<std::vector<std::string>> acknowledged;
  std::atomic<bool> stop = false;
  std::jthread submitter([&] {
    while (!stop) {
      auto id = client->submit("echo", as_bytes(std::string_view("a body")));
      if (id) acknowledged.with([&](auto& ids) { ids.push_back(*std::move(id)); });
    }
  });
  const auto count = [&] { return acknowledged.with([](const auto& ids) { return ids.size(); }); };
  ASSERT_TRUE(eventually([&] { return count() >= 20; }));
  const auto before = acknowledged.with([](const auto& ids) { return ids; });
  fs::create_directory(platform_.root() / "backup");
  const auto master = node("local-master");
  const auto kept = copy("local-master");
  const auto made = platform_.tcfdl({"backup", "--state", master.string(), "--out", kept.string()});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_GT(count(), before.size()) << "it stored tasks meanwhile";
  stop = true;
  submitter.join();
  ASSERT_EQ(platform_.down().exit_code, 0);
  fs::remove_all(master);
  const auto restored = platform_.tcfdl({"restore", "--from", kept.string(), "--state", master.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  ASSERT_EQ(platform_.up(), "");
  const auto again = Client::connect("local").value();
  for (const auto& id : before) {
    const auto task = again->task_wait(id, std::chrono::seconds(60));
    ASSERT_TRUE(task) << task.error().to_string();
    EXPECT_EQ(as_text(task->result), "a body");
  }
}

} // namespace
} // namespace tcfdl::test
