// A call from one cluster to another: found through the service manager, placed over the link, answered the same way.
#include "support/platform.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace tcfdl::test {
namespace {

constexpr const char* kTopology = R"(clusters:
  - name: vehicle
    host_instances: false
  - name: roadside
    workers: [rsu-1, rsu-2]
)";

class CrossCluster : public testing::TestWithParam<std::string> {};

TEST_P(CrossCluster, CallsReachTheBestInstanceOfAnotherCluster) {
  Platform platform(std::string(kTopology) + "local_adapter: " + GetParam() + "\n");
  ASSERT_EQ(platform.up(), "");
  const auto deployed = platform.deploy("echo", "examples-echo", "scale: {min: 2}\n", {}, "roadside");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  std::string body(3'000'000, 'b');
  for (const auto* protection : {"eae", "none"}) {
    const auto called = platform.invoke("echo", body, {"--context", "vehicle", "--protection", protection});
    ASSERT_EQ(called.exit_code, 0) << called.err;
    EXPECT_EQ(called.out, body);
    EXPECT_EQ(called.summary["cluster"], "roadside");
    EXPECT_TRUE(called.summary["node"].get<std::string>().starts_with("rsu-"));
  }
  const auto named = platform.invoke("echo", "x", {"--context", "vehicle", "--cluster", "roadside"});
  EXPECT_EQ(named.exit_code, 0) << named.err;
  const auto nowhere =
      platform.invoke("echo", "x", {"--context", "vehicle", "--cluster", "vehicle", "--timeout", "2s"});
  EXPECT_EQ(nowhere.exit_code, 1);
}

INSTANTIATE_TEST_SUITE_P(LocalAdapters, CrossCluster, testing::Values("unix", "tcp"),
                         [](const auto& p) { return p.param; });

TEST(CrossClusterFailure, IsClearWhenTheOtherClusterStopsAndOverWhenItReturns) {
  Platform platform(kTopology);
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("slow", "examples-slow", "", {}, "roadside").exit_code, 0);
  ASSERT_EQ(platform.invoke("slow", "echo a", {"--context", "vehicle"}).exit_code, 0);

  const auto master = platform.ready("roadside-master")["pid"].get<pid_t>();
  ::kill(master, SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  const auto refused = platform.invoke("slow", "echo a", {"--context", "vehicle", "--timeout", "3s"});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << "the deadline bounds the call";
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(refused.err.contains("DEADLINE_EXCEEDED") || refused.err.contains("UNAVAILABLE")) << refused.err;
  ::kill(master, SIGCONT);
  EXPECT_TRUE(eventually([&] { return platform.invoke("slow", "echo a", {"--context", "vehicle"}).exit_code == 0; }));

  ::kill(master, SIGKILL);
  EXPECT_TRUE(eventually([&] { return platform.invoke("slow", "echo a", {"--context", "vehicle"}).out == "a"; }))
      << "the supervisor starts the master again, and the vehicle finds it";
}

} // namespace
} // namespace tcfdl::test
