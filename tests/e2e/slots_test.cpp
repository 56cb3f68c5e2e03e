// Instances start while the service manager cannot be reached.
#include "sdk/context.hpp"
#include "support/platform.hpp"

#include <csignal>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::seconds;

class SlotsE2e : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed = platform_.deploy("echo", "examples-echo");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  void TearDown() override {
    if (stopped_ > 0) ::kill(stopped_, SIGCONT);
  }

  /// Names of the slots of a function; of none: the gateway's.
  std::vector<std::string> slots(const std::string& function = "echo") {
    std::vector<std::string> names;
    const auto status = platform_.json({"status"});
    for (const auto& node : status["nodes"]) {
      for (const auto& slot : node["slots"]) {
        if (slot["function"] == function) names.push_back(slot["instance"]);
      }
    }
    return names;
  }
  /// How many answers the entry proxy keeps for those who send.
  std::ptrdiff_t kept_keys() {
    const std::filesystem::directory_iterator files(platform_.state() / "nodes" / "local-master" / "proxy" /
                                                    "sender_keys");
    return std::distance(begin(files), end(files));
  }
  [[nodiscard]] static Finished call_over_http(const std::string& body) {
    const auto context = sdk::load_context("local").value();
    return run({"curl", "-sS", "-m", "5", "-H", "Authorization: Bearer " + context.gateway_token, "--data-binary", "@-",
                context.gateway_url + "/v1/functions/echo/invoke"},
               {}, body);
  }
  std::vector<std::string> ready_instances() {
    std::vector<std::string> names;
    const auto status = platform_.json({"status"});
    for (const auto& instance : status["instances"]) {
      if (instance["state"] == "ready") names.push_back(instance["id"]);
    }
    return names;
  }
  /// The service manager answers nobody from now on.
  void silence_service_manager() {
    stopped_ = platform_.ready("service-manager")["pid"].get<pid_t>();
    ASSERT_EQ(::kill(stopped_, SIGSTOP), 0);
  }
  void kill_instances() {
    for (const auto pid : platform_.instances("examples-echo")) ::kill(pid, SIGKILL);
  }

  Platform platform_;
  pid_t stopped_ = -1;
};

TEST_F(SlotsE2e, AnInstanceThatDiesIsReplacedWithoutTheServiceManager) {
  const auto client = Client::connect("local").value();
  ASSERT_TRUE(client->call("echo", as_bytes("before")));
  ASSERT_TRUE(eventually([&] { return slots().size() == 2; }));
  const auto prepared = slots();
  EXPECT_THAT(ready_instances(), testing::Not(testing::IsSubsetOf(prepared)));
  silence_service_manager();
  kill_instances();
  ASSERT_TRUE(eventually([&] {
    return std::ranges::any_of(ready_instances(),
                               [&](const auto& id) { return std::ranges::find(prepared, id) != prepared.end(); });
  }));
  const auto answered = client->call("echo", as_bytes("after"));
  ASSERT_TRUE(answered) << answered.error().to_string();
  EXPECT_THAT(prepared, testing::Contains(answered->report.instance));
  EXPECT_EQ(slots().size(), 1U) << "each serves once";
}

TEST_F(SlotsE2e, AGatewayThatDiesIsReplacedAndCallsGoOnWithoutTheServiceManager) {
  ASSERT_EQ(call_over_http("before").out, "before");
  ASSERT_EQ(Client::connect("local").value()->call("echo", as_bytes("x")).value().body, to_bytes("x"));
  // The gateway's own keys, the client's, and those of the gateway's successor.
  ASSERT_TRUE(eventually([&] { return slots("").size() == 1 && kept_keys() == 3; })) << kept_keys();
  silence_service_manager();
  const auto gateways = platform_.instances("tcfdl-gateway");
  ASSERT_FALSE(gateways.empty());
  for (const auto pid : gateways) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return call_over_http("after").out == "after"; }));
  EXPECT_TRUE(slots("").empty());
  const auto fresh = Client::connect("local").value()->call("echo", as_bytes("a new process"));
  EXPECT_TRUE(fresh) << fresh.error().to_string();

  // Back again: what the silence left unanswered is nobody's answer.
  ASSERT_EQ(::kill(stopped_, SIGCONT), 0);
  ASSERT_TRUE(eventually([&] { return slots("").size() == 1; }));
  const auto deployed = platform_.deploy("second", "examples-echo");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  EXPECT_EQ(platform_.invoke("second", "x").out, "x");
}

TEST_F(SlotsE2e, TheyOutliveTheProxyAndServeItsNextInstances) {
  const auto client = Client::connect("local").value();
  ASSERT_TRUE(client->call("echo", as_bytes("before")));
  ASSERT_TRUE(eventually([&] { return slots().size() == 2; }));
  const auto prepared = slots();
  silence_service_manager();
  const auto proxies = platform_.pids("tcfdl-proxy", "worker-1");
  ASSERT_FALSE(proxies.empty());
  for (const auto pid : proxies) ::kill(pid, SIGKILL);
  CallOptions options;
  options.timeout = seconds(2);
  ASSERT_TRUE(eventually([&] {
    const auto answered = client->call("echo", as_bytes("after"), options);
    return answered && std::ranges::find(prepared, answered->report.instance) != prepared.end();
  }));
}

} // namespace
} // namespace tcfdl::test
