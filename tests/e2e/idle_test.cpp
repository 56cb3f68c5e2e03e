// Nodes that have nothing to do: they report seldom, so one that dies is noticed by the next task.
#include "support/platform.hpp"

#include <csignal>
#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

class IdleNodes : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
    ASSERT_EQ(platform_.invoke("echo", "first").out, "first");
  }
  /// Milliseconds since a node's last heartbeat; -1 where the master does not have the node.
  std::int64_t silence_of(const std::string& name) {
    const auto status = platform_.json({"status"});
    for (const auto& node : status.value("nodes", Json::array())) {
      if (node.value("name", "") == name) return node.value("heartbeat_age_ms", std::int64_t{-1});
    }
    return -1;
  }

  Platform platform_{"clusters:\n  - {name: local, workers: [worker-1, worker-2]}\n"};
};

TEST_F(IdleNodes, ThatDiedCostTheNextTaskNothingButAnotherLease) {
  const auto first = platform_.invoke("echo", "x").summary;
  const std::string node = first["node"];
  constexpr std::int64_t kIdle = 4000; // busy ones are lost after 3000
  ASSERT_TRUE(eventually([&] { return silence_of(node) > kIdle; }, std::chrono::seconds(150)));
  for (const auto pid : platform_.pids("worker", node)) ::kill(pid, SIGKILL);
  const auto next = platform_.invoke("echo", "still there", {"--timeout", "60s"});
  EXPECT_EQ(next.out, "still there") << next.err;
  EXPECT_NE(next.summary["instance"], first["instance"]);
}

} // namespace
} // namespace tcfdl::test
