// Instances follow their tasks: up in a burst, down with a drain, to zero and back, where there is room.
#include "support/platform.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <gmock/gmock.h>
#include <set>
#include <tcfdl/client.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* kTopology = "clusters:\n"
                                  "  - name: local\n"
                                  "    workers: [worker-1, worker-2]\n"
                                  "    autoscaling: {interval: 200ms, stable_window: 3s, panic_window: 600ms,\n"
                                  "                  scale_to_zero_grace: 500ms}\n"
                                  "    nodes:\n"
                                  "      - {name: worker-1, labels: {zone: north}, enclave_memory: 64MiB}\n"
                                  "      - {name: worker-2, labels: {zone: south}, enclave_memory: 32MiB}\n";

class Scaling : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    auto client = Client::connect("local");
    ASSERT_TRUE(client) << client.error().to_string();
    client_ = *std::move(client);
  }

  void deploy(const std::string& more) {
    const auto deployed = platform_.deploy("slow", "examples-slow", more);
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  Result<std::string> call(const std::string& body, milliseconds timeout = seconds(60)) {
    CallOptions options;
    options.timeout = timeout;
    auto result = client_->call("slow", as_bytes(body), options);
    if (!result) return result.error();
    return std::string(as_text(result->body));
  }
  std::vector<std::future<Result<std::string>>> burst(std::size_t tasks, const std::string& body) {
    std::vector<std::future<Result<std::string>>> calls;
    for (; tasks > 0; --tasks) calls.push_back(std::async(std::launch::async, [=, this] { return call(body); }));
    return calls;
  }
  Json show() { return platform_.json({"function", "show", "slow"}); }
  bool comes_to_ready(std::size_t instances) {
    return eventually([&] {
      const auto shown = show();
      return shown.is_object() && shown.value("instances_ready", std::size_t{99}) == instances;
    });
  }
  std::size_t processes() { return platform_.instances("bin/examples-slow").size(); }

  Platform platform_{kTopology};
  std::unique_ptr<Client> client_;
};

TEST_F(Scaling, ABurstIsMetByMoreInstancesAndEndsWithoutALostTask) {
  deploy("concurrency: 4\nscale: {min: 1, max: 4}\n");
  auto calls = burst(64, "sleep 700");
  EXPECT_TRUE(comes_to_ready(4));
  EXPECT_EQ(show()["instances_max"], 4);
  EXPECT_FALSE(show().value("scaling", "").empty());
  for (auto& each : calls) {
    const auto result = each.get();
    EXPECT_EQ(result.value_or(""), "slept") << (result ? "" : result.error().to_string());
  }
  // While instances stop, tasks come all the time.
  std::atomic<bool> over = false;
  auto trickle = std::async(std::launch::async, [&]() -> Result<int> {
    int answered = 0;
    for (; !over; ++answered) TCFDL_TRY(call("echo back"));
    return answered;
  });
  EXPECT_TRUE(comes_to_ready(1));
  EXPECT_TRUE(eventually([&] { return processes() == 1; }));
  over = true;
  const auto answered = trickle.get();
  EXPECT_TRUE(answered) << answered.error().to_string();
  EXPECT_GT(answered.value_or(0), 0);
}

TEST_F(Scaling, AnInstanceThatIsOneTooManyEndsItsTaskFirst) {
  deploy("scale: {min: 2, max: 2}\n");
  auto calls = burst(2, "sleep 16000"); // longer than an instance gets to drain
  ASSERT_TRUE(eventually([&] { return show().value("started", 0) == 2; }));
  ASSERT_EQ(platform_.tcfdl({"function", "scale", "slow", "--min", "1", "--max", "1"}).exit_code, 0);
  for (auto& each : calls) {
    const auto result = each.get();
    EXPECT_EQ(result.value_or(""), "slept") << (result ? "" : result.error().to_string());
  }
  EXPECT_TRUE(eventually([&] { return processes() == 1; }));
}

TEST_F(Scaling, ADrainedNodeLosesItsInstancesAndNoTask) {
  deploy("scale: {min: 2, max: 2}\n");
  const auto nodes = [this] {
    std::set<std::string> found;
    for (const auto& instance : show().value("instances", Json::array())) found.insert(instance.value("node", ""));
    return found;
  };
  const auto state_of = [this](const std::string& name) {
    for (const auto& node : platform_.json({"status"}).value("nodes", Json::array())) {
      if (node.value("name", "") == name) return node.value("state", "");
    }
    return std::string();
  };
  ASSERT_TRUE(eventually([&] { return nodes() == std::set<std::string>{"worker-1", "worker-2"}; }));
  std::atomic<bool> over = false;
  auto trickle = std::async(std::launch::async, [&]() -> Result<int> {
    int answered = 0;
    for (; !over; ++answered) TCFDL_TRY(call("sleep 20"));
    return answered;
  });
  const auto drained = platform_.tcfdl({"node", "drain", "worker-1"});
  over = true;
  EXPECT_EQ(drained.exit_code, 0) << drained.err;
  EXPECT_FALSE(nodes().contains("worker-1"));
  EXPECT_EQ(show()["instances_ready"], 2);
  EXPECT_EQ(state_of("worker-1"), "drained");
  const auto answered = trickle.get();
  EXPECT_TRUE(answered) << answered.error().to_string();
  EXPECT_GT(answered.value_or(0), 0);
  const auto unknown = platform_.tcfdl({"node", "drain", "worker-9"});
  EXPECT_THAT(unknown.err, HasSubstr("NOT_FOUND: no node of cluster local is called worker-9"));
  ASSERT_EQ(platform_.tcfdl({"node", "resume", "worker-1"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return state_of("worker-1") == "ready"; }));
}

TEST_F(Scaling, AFunctionSleepsAndItsNextTaskWakesIt) {
  deploy("scale: {min: 0, max: 2}\n");
  EXPECT_EQ(show()["instances_wanted"], 0) << "what is deployed at zero is not started";
  EXPECT_EQ(processes(), 0U);
  EXPECT_EQ(call("echo first").value_or(""), "first");
  EXPECT_TRUE(comes_to_ready(0));
  EXPECT_TRUE(eventually([&] { return processes() == 0; }));
  EXPECT_EQ(call("echo again").value_or(""), "again");
}

TEST_F(Scaling, AWarmInstanceTakesTheFirstTaskOfAFunctionThatSleeps) {
  deploy("scale: {min: 0, max: 2, warm: 1}\n");
  const auto warm = [this] {
    std::vector<std::string> ids;
    for (const auto& instance : show().value("instances", Json::array())) {
      if (instance.value("state", "") == "warm") ids.push_back(instance.value("id", ""));
    }
    return ids;
  };
  ASSERT_TRUE(eventually([&] { return warm().size() == 1; })) << show();
  EXPECT_EQ(show()["instances_ready"], 0);
  EXPECT_EQ(show()["instances_warm"], 1);
  const auto process = platform_.instances("bin/examples-slow").at(0);
  EXPECT_EQ(call("echo first").value_or(""), "first");
  EXPECT_TRUE(eventually([&] { return warm().size() == 1 && show()["instances_ready"] == 1; })) << "refilled";
  // A task that finds the working one busy has the next at once.
  auto busy = std::async(std::launch::async, [this] { return call("sleep 4000"); });
  ASSERT_TRUE(eventually([&] { return show().value("started", 0) == 1; }));
  EXPECT_EQ(call("echo second", seconds(3)).value_or(""), "second");
  EXPECT_EQ(busy.get().value_or(""), "slept");
  // Asleep again, and one stands ready.
  EXPECT_TRUE(eventually([&] { return processes() == 1 && warm().size() == 1; })) << show();
  EXPECT_NE(platform_.instances("bin/examples-slow").at(0), process);
  ASSERT_EQ(platform_.tcfdl({"function", "scale", "slow", "--warm", "0"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return processes() == 0; }));
}

TEST_F(Scaling, AFunctionThatFitsNowhereIsExplained) {
  deploy("scale: {min: 0, max: 2}\nresources: {enclave_memory: 48MiB}\nlabels: {zone: south}\n");
  const std::string why =
      "no node has room for an instance: worker-1: label zone=south wanted, it has north; worker-2: "
      "enclave memory: 48.0 MiB wanted, 32.0 MiB of 32.0 MiB left";
  EXPECT_TRUE(eventually([&] { return show().value("problem", "") == why; })) << show();
  const auto refused = call("echo nobody", seconds(3));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_THAT(refused.error().message(), HasSubstr(why));
  EXPECT_THAT(platform_.tcfdl({"status"}).out, HasSubstr(why));

  deploy("scale: {min: 0, max: 2}\nresources: {enclave_memory: 48MiB}\nlabels: {zone: north}\n");
  EXPECT_EQ(call("echo fits").value_or(""), "fits");
  EXPECT_EQ(show()["instances"].at(0)["node"], "worker-1");
  // A second one fits nowhere, and those that wait hear of it.
  ASSERT_EQ(platform_.tcfdl({"function", "scale", "slow", "--min", "2"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] {
    return show().value("problem", "").starts_with("1 of 2 instances of slow run; no node has room");
  })) << show();
}

TEST_F(Scaling, AnInstanceKilledWhileItsFunctionGrowsCostsNoTask) {
  deploy("idempotent: true\nscale: {min: 1, max: 3}\n");
  auto calls = burst(24, "sleep 500");
  ASSERT_TRUE(eventually([&] { return processes() >= 2; }));
  ::kill(platform_.instances("bin/examples-slow").front(), SIGKILL);
  EXPECT_TRUE(comes_to_ready(3));
  for (auto& each : calls) {
    const auto result = each.get();
    EXPECT_EQ(result.value_or(""), "slept") << (result ? "" : result.error().to_string());
  }
  EXPECT_TRUE(comes_to_ready(1));
}

TEST_F(Scaling, ItsBoundsAreKeptWithItsInstancesOverARestartOfTheMaster) {
  deploy("scale: {min: 1, max: 1}\n");
  const auto scaled =
      platform_.json({"function", "scale", "slow", "--min", "2", "--max", "3", "--response-time-target", "250"});
  EXPECT_EQ(scaled["instances_min"], 2);
  EXPECT_EQ(platform_.tcfdl({"function", "scale", "slow", "--min", "4"}).exit_code, 1) << "max is 3";
  ASSERT_TRUE(comes_to_ready(2));
  auto before = platform_.instances("bin/examples-slow");
  const auto records = platform_.json({"audit"}).value("records", Json::array());
  EXPECT_TRUE(std::ranges::any_of(records, [](const Json& each) {
    return each["object"] == "/v1/functions/slow/scale" && each["allowed"] == true;
  }));
  const auto master = platform_.ready("local-master")["pid"].get<pid_t>();
  ::kill(master, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !is_alive(master); }));
  ASSERT_TRUE(comes_to_ready(2));
  const auto shown = show();
  EXPECT_EQ(shown["instances_min"], 2);
  EXPECT_EQ(shown["instances_max"], 3);
  EXPECT_EQ(shown["response_time_ms"], 250);
  auto after = platform_.instances("bin/examples-slow");
  std::ranges::sort(before);
  std::ranges::sort(after);
  EXPECT_EQ(before, after) << "the very same processes";
}

TEST_F(Scaling, TopShowsFunctionsAndNodesAtWork) {
  deploy("scale: {min: 1, max: 2}\n");
  ASSERT_EQ(call("echo back").value_or(""), "back");
  const auto top = platform_.json({"top"});
  ASSERT_EQ(top["functions"].size(), 1U) << top;
  EXPECT_EQ(top["functions"][0]["name"], "slow");
  EXPECT_EQ(top["functions"][0]["instances_max"], 2);
  EXPECT_TRUE(top["functions"][0].contains("rate")) << top;
  const auto worker =
      std::ranges::find(top["nodes"], "worker-1", [](const Json& node) { return node.value("name", ""); });
  ASSERT_NE(worker, top["nodes"].end());
  EXPECT_EQ((*worker)["labels"]["zone"], "north");
  EXPECT_EQ((*worker)["enclave_memory"], 64 << 20U);
  const auto table = platform_.tcfdl({"top", "--once"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("WANTED"));
  EXPECT_THAT(table.out, HasSubstr("worker-2"));
}

} // namespace
} // namespace tcfdl::test
