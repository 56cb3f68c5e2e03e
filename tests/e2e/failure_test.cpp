// Parts that die under a call: each gives its own clear error within the deadline, and the platform recovers by itself.
#include "support/platform.hpp"

#include <csignal>
#include <future>
#include <gtest/gtest.h>
#include <sdk/context.hpp>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Failure : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed = platform_.deploy("slow", "examples-slow", "queue_limit: 2\n");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    auto client = Client::connect("local");
    ASSERT_TRUE(client) << client.error().to_string();
    client_ = *std::move(client);
  }

  Result<std::string> call(const std::string& body, milliseconds timeout = seconds(20),
                           const std::string& function = "slow") {
    CallOptions options;
    options.timeout = timeout;
    auto result = client_->call(function, as_bytes(body), options);
    if (!result) return result.error();
    return std::string(as_text(result->body));
  }

  std::future<Result<std::string>> call_later(const std::string& body, milliseconds timeout = seconds(20),
                                              const std::string& function = "slow") {
    return std::async(std::launch::async, [=, this] { return call(body, timeout, function); });
  }

  /// Whether a function comes to have so many tasks of a kind, as the status shows them.
  bool comes_to(const std::string& kind, std::size_t wanted, const std::string& function) {
    return eventually([&] {
      const auto shown = platform_.json({"function", "show", function});
      return shown.is_object() && shown.value(kind, std::size_t{99}) == wanted;
    });
  }
  bool in_flight(std::size_t wanted) { return comes_to("in_flight", wanted, "slow"); }
  bool handler_began(const std::string& function = "slow") { return comes_to("started", 1, function); }

  /// As this machine sees it; the instance sees a number of its own namespace.
  pid_t instance_pid() {
    const auto pids = platform_.instances("bin/examples-slow");
    return pids.empty() ? 0 : pids.front();
  }

  bool recovers() {
    return eventually([&] { return call("echo back", seconds(5)).value_or("") == "back"; });
  }

  Platform platform_;
  std::unique_ptr<Client> client_;
};

TEST_F(Failure, AnInstanceKilledInMidTaskIsSaidAndReplaced) {
  const auto pid = instance_pid();
  ASSERT_GT(pid, 0);
  auto running = call_later("sleep 15000");
  ASSERT_TRUE(handler_began());
  ::kill(pid, SIGKILL);
  const auto lost = running.get();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), Code::kUnavailable) << lost.error().to_string();
  EXPECT_NE(lost.error().message().find("instance lost after start"), std::string::npos) << lost.error().message();
  EXPECT_TRUE(recovers());
}

TEST_F(Failure, AnIdempotentTaskIsRepeatedWhenItsInstanceDies) {
  ASSERT_EQ(platform_.deploy("again", "examples-slow", "idempotent: true\nscale: {min: 2}\n").exit_code, 0);
  const auto first = std::stoi(call("pid", seconds(20), "again").value_or("0"));
  ASSERT_GT(first, 0);
  auto running = call_later("sleep 3000", seconds(30), "again");
  ASSERT_TRUE(handler_began("again"));
  for (const auto pid : platform_.instances("bin/examples-slow")) ::kill(pid, SIGKILL);
  const auto result = running.get();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(*result, "slept");
}

TEST_F(Failure, AWorkerKilledIsSaidAndTheTaskNotLeftHanging) {
  auto running = call_later("sleep 15000");
  ASSERT_TRUE(handler_began());
  ::kill(platform_.ready("worker-1")["pid"].get<pid_t>(), SIGKILL);
  const auto lost = running.get();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), Code::kUnavailable) << lost.error().to_string();
  EXPECT_TRUE(recovers()) << "the supervisor starts the worker again, which enrols no second time";
}

TEST_F(Failure, TheDeadlineEndsACallAndCancelsItsHandler) {
  const auto start = std::chrono::steady_clock::now();
  const auto over = call("sleep 15000", milliseconds(700));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(8));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), Code::kDeadlineExceeded) << over.error().to_string();
  EXPECT_TRUE(recovers()) << "the handler was cancelled and its slot is free";
}

TEST_F(Failure, ACancelledCallStopsItsHandler) {
  std::stop_source cancel;
  CallOptions options;
  options.cancel = cancel.get_token();
  auto running =
      std::async(std::launch::async, [&] { return client_->call("slow", as_bytes("sleep 60000"), options); });
  ASSERT_TRUE(handler_began());
  cancel.request_stop();
  const auto cancelled = running.get();
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code(), Code::kCancelled) << cancelled.error().to_string();
  EXPECT_TRUE(in_flight(0)) << "the slot is free long before the handler's own time";
}

TEST_F(Failure, AFullQueueSaysSo) {
  auto running = call_later("sleep 4000");
  ASSERT_TRUE(handler_began());
  std::vector<std::future<Result<std::string>>> waiting;
  for (int i = 0; i < 2; ++i) waiting.push_back(call_later("echo waited"));
  ASSERT_TRUE(eventually([&] { return platform_.json({"function", "show", "slow"}).value("waiting", 0U) == 2; }));
  CallOptions at_once;
  at_once.retry_busy = false;
  const auto refused = client_->call("slow", as_bytes("echo too many"), at_once);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted) << refused.error().to_string();
  EXPECT_GT(refused.error().retry_after().count(), 0);
  EXPECT_EQ(call("echo patient").value_or(""), "patient") << "it comes again when there is room";
  for (auto& call : waiting) EXPECT_EQ(call.get().value_or(""), "waited");
  EXPECT_EQ(running.get().value_or(""), "slept");
}

TEST_F(Failure, AHandlersErrorReachesItsCallerWithCodeAndText) {
  const auto failed = call("fail PERMISSION_DENIED not for you");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().to_string(), "PERMISSION_DENIED: not for you");
  // Codes that the platform uses itself are still the handler's, said once and not tried again.
  for (const auto* code : {"FAILED_PRECONDITION", "UNAVAILABLE", "ALREADY_EXISTS", "UNAUTHENTICATED"}) {
    const auto same = call(fmt::format("fail {} not now", code));
    ASSERT_FALSE(same);
    EXPECT_EQ(same.error().to_string(), fmt::format("{}: not now", code));
  }
}

TEST_F(Failure, NoInstanceIsSaidWithinTheDeadline) {
  const auto path = platform_.root() / "never.yaml";
  ASSERT_TRUE(write_file(path, as_bytes("name: never\ncommand: [tcfdl-exec, nonsense]\n")));
  ASSERT_EQ(platform_.tcfdl({"function", "deploy", path.string(), "--no-wait"}).exit_code, 0);
  const auto nobody = call("x", seconds(2), "never");
  ASSERT_FALSE(nobody);
  EXPECT_TRUE(nobody.error().code() == Code::kUnavailable || nobody.error().code() == Code::kDeadlineExceeded)
      << nobody.error().to_string();
}

TEST_F(Failure, AProxyKilledTakesItsInstancesAndBothReturn) {
  const auto proxies = platform_.pids("tcfdl-proxy", (platform_.state() / "nodes" / "worker-1").string());
  ASSERT_FALSE(proxies.empty());
  for (const auto pid : proxies) ::kill(pid, SIGKILL);
  EXPECT_TRUE(recovers());
}

TEST_F(Failure, ABrokerKilledReturns) {
  const auto brokers = platform_.pids("nats-server", platform_.state().string());
  ASSERT_GE(brokers.size(), 2U);
  for (const auto pid : brokers) ::kill(pid, SIGKILL);
  EXPECT_TRUE(recovers());
}

} // namespace
} // namespace tcfdl::test
