// Hop-by-hop protection: through the proxies of one cluster, of two, and of a worker behind a master.
#include "support/platform.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <sdk/context.hpp>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

constexpr const char* kHopTopology = R"(clusters:
  - name: vehicle
  - name: roadside
    host_instances: false
    workers: [rsu-1]
)";

using Names = std::vector<std::string>;

class HopByHop : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.deploy("near", "examples-echo", "", {}, "vehicle").exit_code, 0);
    const auto deployed = platform_.deploy("far", "examples-echo", "", {}, "roadside");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  Invoked call(const std::string& function, const std::string& body, const std::string& context) {
    return platform_.invoke(function, body, {"--protection", "hse", "--context", context});
  }

  Platform platform_{std::string(kHopTopology) + "local_adapter: " + GetParam() + "\n"};
};

TEST_P(HopByHop, SealsOnceMoreThanThereAreProxies) {
  struct Way {
    const char* function;
    const char* context;
    Names proxies;
  };
  const std::string vehicle = "vehicle-master/proxy";
  const std::string roadside = "roadside-master/proxy";
  const std::string worker = "rsu-1/proxy";
  for (const auto& way :
       {Way{"near", "vehicle", {vehicle}}, Way{"far", "roadside", {roadside, worker}},
        Way{"near", "roadside", {roadside, vehicle}}, Way{"far", "vehicle", {vehicle, roadside, worker}}}) {
    for (const std::size_t size : {0UL, 65'536UL, 3'000'001UL}) {
      const std::string body(size, 'h');
      const auto called = call(way.function, body, way.context);
      ASSERT_EQ(called.exit_code, 0) << called.err;
      EXPECT_TRUE(called.out == body) << size;
      EXPECT_EQ(called.summary["protection"], "hse");
      EXPECT_EQ(called.summary["proxies"].get<Names>(), way.proxies);
      EXPECT_EQ(called.summary["seals"], way.proxies.size() + 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(LocalAdapters, HopByHop, testing::Values("unix", "tcp"),
                         [](const auto& p) { return p.param; });

class HopByHopOnce : public HopByHop {};

TEST_P(HopByHopOnce, ServesManyCallsSideBySideAndSaysWhatEaeDoes) {
  const auto client = Client::connect("vehicle");
  ASSERT_TRUE(client) << client.error().to_string();
  CallOptions options;
  options.protection = Protection::kHse;
  std::vector<std::future<Result<CallResult>>> calls;
  for (int i = 0; i < 12; ++i)
    calls.push_back((*client)->call_async(i % 2 == 0 ? "near" : "far", to_bytes("call " + std::to_string(i)), options));
  for (int i = 0; i < 12; ++i) {
    const auto result = calls[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(as_text(result->body), "call " + std::to_string(i));
  }
  const auto sealed = (*client)->call("near", to_bytes("x"));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->report.seals, 1U);
  EXPECT_TRUE(sealed->report.proxies.empty());
}

TEST_P(HopByHopOnce, IsRefusedWhereTheFunctionDoesNotAdmitIt) {
  const auto file = platform_.root() / "strict.yaml";
  const auto program = Platform::binary("examples-echo");
  ASSERT_TRUE(write_file(file, as_bytes("name: strict\ncommand: [bin/echo]\nfiles:\n  - {source: " + program +
                                        ", path: bin/echo}\nprotection: [eae]\n")));
  const auto deployed = platform_.tcfdl({"function", "deploy", file.string(), "--context", "vehicle"});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto refused = call("strict", "x", "vehicle");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("PERMISSION_DENIED"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("does not admit protection 'hse'; it admits eae"), std::string::npos) << refused.err;
  EXPECT_EQ(platform_.invoke("strict", "x", {"--context", "vehicle"}).out, "x");
}

TEST_P(HopByHopOnce, GoesOnWhenAProxyWasKilled) {
  ASSERT_EQ(call("near", "x", "roadside").exit_code, 0);
  for (const auto pid : platform_.pids("tcfdl-proxy", "roadside-master")) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return call("near", "again", "roadside").out == "again"; }));
}

INSTANTIATE_TEST_SUITE_P(Unix, HopByHopOnce, testing::Values("unix"));

} // namespace
} // namespace tcfdl::test
