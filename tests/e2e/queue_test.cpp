// Queues under load: shares of callers, priorities, and when to come again, over SDK, command line and HTTP.
#include "support/platform.hpp"

#include <future>
#include <gmock/gmock.h>
#include <sdk/context.hpp>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* kSharesTopology = R"(clusters:
  - name: local
    workers: [worker-1]
    callers:
      - {name: local-user, priority: high}
)";

class QueuesUnderLoad : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.enrol("light").exit_code, 0);
    heavy_ = connect("local");
    light_ = connect("light");
  }
  static std::unique_ptr<Client> connect(const std::string& context) {
    auto client = Client::connect(context);
    EXPECT_TRUE(client) << client.error().to_string();
    return client ? *std::move(client) : nullptr;
  }
  void deploy(const std::string& more) {
    const auto deployed = platform_.deploy("slow", "examples-slow", more);
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  static CallOptions options(Priority priority = Priority::kNormal) {
    CallOptions result;
    result.timeout = seconds(60);
    result.priority = priority;
    return result;
  }
  std::future<Result<CallResult>> later(Client& client, const std::string& body,
                                        Priority priority = Priority::kNormal) {
    return client.call_async("slow", to_bytes(body), options(priority));
  }
  bool comes_to(const std::string& kind, std::size_t least) {
    return eventually([&] {
      const auto shown = platform_.json({"function", "show", "slow"});
      return shown.is_object() && shown.value(kind, std::size_t{0}) >= least;
    });
  }

  Platform platform_{kSharesTopology};
  std::unique_ptr<Client> heavy_;
  std::unique_ptr<Client> light_;
};

TEST_F(QueuesUnderLoad, ServeALightCallerBesideOneWithManyTasks) {
  deploy("");
  std::vector<std::future<Result<CallResult>>> many;
  for (int i = 0; i < 40; ++i) many.push_back(later(*heavy_, "sleep 200"));
  ASSERT_TRUE(comes_to("waiting", 35));
  const auto served = light_->call("slow", as_bytes("echo hello"), options());
  ASSERT_TRUE(served) << served.error().to_string();
  EXPECT_LT(served->report.wait_us, 1'500'000U) << "in the order of arrival it would be 7 s";
  EXPECT_TRUE(comes_to("waiting", 20)) << "the others still wait";
  for (auto& each : many) EXPECT_TRUE(each.get()) << "and lose nothing";
}

TEST_F(QueuesUnderLoad, TakeABurstBackForWhoWaits) {
  deploy("");
  std::atomic<bool> enough = false;
  std::atomic<unsigned> in_bursts = 0;
  auto busy = std::async(std::launch::async, [&] {
    while (!enough.load()) {
      const auto done = heavy_->call("slow", as_bytes("sleep 5"), options());
      EXPECT_TRUE(done) << done.error().to_string();
      if (done && done->report.wait_us == 0) ++in_bursts; // no lease was asked for
    }
  });
  std::uint64_t longest = 0;
  for (int i = 0; i < 10; ++i) {
    const auto before = in_bursts.load();
    EXPECT_TRUE(eventually([&] { return in_bursts.load() > before; })) << "nobody waits, and there is no burst";
    const auto served = light_->call("slow", as_bytes("echo hello"), options());
    EXPECT_TRUE(served) << served.error().to_string();
    if (served) longest = std::max(longest, served->report.wait_us);
  }
  enough = true;
  EXPECT_LT(longest, 300'000U) << "a burst of 64 such tasks takes longer";
}

TEST_F(QueuesUnderLoad, ServeHighPriorityFirstWhereItIsPermitted) {
  deploy("");
  const auto refused = light_->call("slow", as_bytes("echo hello"), options(Priority::kHigh));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied) << refused.error().to_string();
  const auto by_command = platform_.tcfdl({"--context", "light", "invoke", "slow", "--priority", "high"}, "echo x");
  EXPECT_THAT(by_command.err, HasSubstr("light may ask for priority 'normal' at most"));
  std::vector<std::future<Result<CallResult>>> many;
  for (int i = 0; i < 20; ++i) many.push_back(later(*heavy_, "sleep 200"));
  ASSERT_TRUE(comes_to("waiting", 15));
  const auto urgent = heavy_->call("slow", as_bytes("echo hello"), options(Priority::kHigh));
  ASSERT_TRUE(urgent) << urgent.error().to_string();
  EXPECT_LT(urgent->report.wait_us, 1'200'000U);
  for (auto& each : many) EXPECT_TRUE(each.get());
}

TEST_F(QueuesUnderLoad, TellWhenToComeAgain) {
  deploy("queue_limit: 2\n");
  ASSERT_TRUE(heavy_->call("slow", as_bytes("sleep 500"), options())); // by which the time of a task is known
  std::stop_source cancel;
  auto long_options = options();
  long_options.timeout = seconds(150);
  const auto patient_options = long_options;
  long_options.cancel = cancel.get_token();
  auto running = heavy_->call_async("slow", to_bytes("sleep 120000"), long_options);
  ASSERT_TRUE(comes_to("started", 1));
  auto waits = heavy_->call_async("slow", to_bytes("echo waited"), patient_options);
  ASSERT_TRUE(comes_to("waiting", 1));
  const auto context = sdk::load_context("local").value();
  const std::vector<std::string> curl{"curl",
                                      "-sS",
                                      "-i",
                                      "-H",
                                      "Authorization: Bearer " + context.gateway_token,
                                      "--data-binary",
                                      "echo by http",
                                      context.gateway_url + "/v1/functions/slow/invoke?timeout=150s"};
  auto by_http = std::async(std::launch::async, [&] { return run(curl).out; });
  ASSERT_TRUE(comes_to("waiting", 2));
  auto again = heavy_->call_async("slow", to_bytes("echo patient"), patient_options);

  const auto refused = run(curl).out;
  EXPECT_THAT(refused, HasSubstr("429 Too Many Requests"));
  EXPECT_THAT(refused, HasSubstr("\r\nRetry-After: 1\r\n")) << "half a second, rounded up";
  EXPECT_THAT(refused, HasSubstr("\"retry_after_ms\":"));
  const auto by_command = platform_.tcfdl({"invoke", "slow", "--fail-when-full"}, "echo x");
  EXPECT_THAT(by_command.err, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(by_command.err, HasSubstr("try again in "));

  cancel.request_stop();
  EXPECT_FALSE(running.get());
  EXPECT_TRUE(waits.get());
  EXPECT_THAT(by_http.get(), HasSubstr("by http"));
  const auto patient = again.get();
  ASSERT_TRUE(patient) << patient.error().to_string();
  EXPECT_GT(patient->report.attempts, 1U) << "it came again by itself";
}

} // namespace
} // namespace tcfdl::test
