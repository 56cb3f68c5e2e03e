// Versions side by side: updates under load, versions that do not work, and instances that hang.
#include "support/platform.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <gmock/gmock.h>
#include <tcfdl/client.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* kHealth = "health: {trial: 2s, answer_within: 2s, overdue: 1s}\n";

/// Calls that come one after the other from some callers until they are told to stop.
class Load {
public:
  Load(Client& client, unsigned callers, std::string body) : client_(client), body_(std::move(body)) {
    for (; callers > 0; --callers) callers_.push_back(std::async(std::launch::async, [this] { return run(); }));
  }
  ~Load() { over_ = true; }

  /// How many were answered; the first error where there is one.
  Result<int> stop() {
    over_ = true;
    int sum = 0;
    for (auto& each : callers_) {
      TCFDL_ASSIGN(const auto answered, each.get());
      sum += answered;
    }
    return sum;
  }

private:
  Result<int> run() {
    int answered = 0;
    for (; !over_; ++answered) TCFDL_TRY(client_.call("slow", as_bytes(body_), {}));
    return answered;
  }

  Client& client_;
  const std::string body_;
  std::atomic<bool> over_ = false;
  std::vector<std::future<Result<int>>> callers_;
};

class Rollout : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    auto client = Client::connect("local");
    ASSERT_TRUE(client) << client.error().to_string();
    client_ = *std::move(client);
  }
  Finished deploy(const std::string& more, const std::vector<std::string>& arguments = {}) {
    return platform_.deploy("slow", "examples-slow", more + kHealth, arguments);
  }
  std::string answer(const std::string& body) {
    auto result = client_->call("slow", as_bytes(body), {});
    return result ? std::string(as_text(result->body)) : result.error().to_string();
  }
  Json show() { return platform_.json({"function", "show", "slow"}); }
  Json instance() { return show().value("instances", Json::array({Json::object()})).at(0); }

  Platform platform_{};
  std::unique_ptr<Client> client_;
};

TEST_F(Rollout, AnUpdateUnderLoadLosesNoTask) {
  ASSERT_EQ(deploy("version: 1\nscale: {min: 2, max: 2}\n").exit_code, 0);
  EXPECT_EQ(answer("echo one"), "one");
  Load load(*client_, 4, "sleep 20");
  const auto updated = deploy("version: 2\nenv: {CHANGED: yes}\nscale: {min: 2, max: 2}\n");
  EXPECT_EQ(updated.exit_code, 0) << updated.err;
  EXPECT_THAT(updated.out, HasSubstr("slow version 2 on local: 2 of 2 instances ready"));
  EXPECT_TRUE(eventually([&] { return platform_.instances("bin/examples-slow").size() == 2; })) << "version 1 stops";
  const auto answered = load.stop();
  EXPECT_TRUE(answered) << answered.error().to_string();
  EXPECT_GT(answered.value_or(0), 0);
  for (const auto& each : show().value("instances", Json::array())) EXPECT_EQ(each.value("version", 0), 2);
}

TEST_F(Rollout, AVersionThatDoesNotStartIsRolledBackUnderLoad) {
  ASSERT_EQ(deploy("version: 1\nscale: {min: 2, max: 2}\n").exit_code, 0);
  EXPECT_EQ(answer("echo one"), "one");
  Load load(*client_, 4, "sleep 20");
  const auto refused = deploy("version: 2\nscale: {min: 2, max: 2}\n", {"--no-start"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("version 2 of slow was rolled back: 3 runs of its instances failed"));
  EXPECT_THAT(refused.err, HasSubstr("exited with status 3"));
  EXPECT_THAT(refused.err, HasSubstr("version 1 serves"));
  const auto shown = show();
  EXPECT_EQ(shown.value("version", 0), 1);
  EXPECT_EQ(shown["rollback"].value("version", 0), 2);
  EXPECT_THAT(platform_.tcfdl({"status"}).out, HasSubstr("slow: version 2 was rolled back, version 1 serves"));
  EXPECT_TRUE(eventually([&] { return show().value("instances", Json::array()).size() == 2; })) << show();

  // The version that serves goes on: killed instances of it start again, with keys of the authority.
  const auto before = platform_.instances("bin/examples-slow");
  const auto answered = load.stop();
  EXPECT_TRUE(answered) << answered.error().to_string();
  for (const auto pid : before) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return answer("echo still") == "still"; }));
  EXPECT_TRUE(eventually([&] { return show().value("instances_ready", 0) == 2; }));

  EXPECT_TRUE(eventually([&] { return platform_.tcfdl({"audit"}).out.find("ROLLBACK") != std::string::npos; }));
  const auto old = deploy("version: 1\nenv: {CHANGED: yes}\n");
  EXPECT_THAT(old.err, HasSubstr("version 1 of slow is older than version 2"));
  const auto repaired = deploy("version: 3\nenv: {CHANGED: yes}\nscale: {min: 1, max: 1}\n");
  EXPECT_EQ(repaired.exit_code, 0) << repaired.err;
  EXPECT_EQ(answer("echo three"), "three");
  EXPECT_FALSE(show().contains("rollback"));
}

TEST_F(Rollout, AVersionThatFailsWithItsTasksIsRolledBackAndRepeatableTasksAreNotLost) {
  ASSERT_EQ(deploy("version: 1\nidempotent: true\nscale: {min: 2, max: 2}\n").exit_code, 0);
  EXPECT_EQ(answer("echo one"), "one");
  Load load(*client_, 4, "sleep 20");
  const auto refused = deploy("version: 2\nidempotent: true\nscale: {min: 2, max: 2}\n", {"--no-tasks"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("version 2 of slow was rolled back"));
  const auto answered = load.stop();
  EXPECT_TRUE(answered) << answered.error().to_string();
  EXPECT_GT(answered.value_or(0), 0);
  EXPECT_EQ(answer("echo still"), "still");
}

TEST_F(Rollout, ACrashLoopIsShown) {
  const auto deployed = deploy("version: 1\nscale: {min: 1, max: 1}\n", {"--no-start"});
  EXPECT_NE(deployed.exit_code, 0);
  EXPECT_TRUE(eventually([&] { return instance().value("crash_looping", false); })) << show();
  EXPECT_GE(instance().value("failures", 0), 3);
  EXPECT_THAT(platform_.tcfdl({"function", "show", "slow"}).out, HasSubstr("crash loop"));
}

TEST_F(Rollout, InstancesThatHangAreReplaced) {
  ASSERT_EQ(deploy("version: 1\nscale: {min: 1, max: 1}\n").exit_code, 0);
  EXPECT_EQ(answer("echo one"), "one");
  // The whole process.
  const auto stopped = platform_.instances("bin/examples-slow").at(0);
  ::kill(stopped, SIGSTOP);
  EXPECT_TRUE(eventually([&] { return instance().value("restarts", 0) == 1 && instance()["state"] == "ready"; }));
  EXPECT_THAT(instance().value("last_error", ""), HasSubstr("it did not answer its node for 2 s"));
  EXPECT_EQ(answer("echo two"), "two");
  // A handler that does not heed its deadline.
  CallOptions options;
  options.timeout = milliseconds(500);
  EXPECT_FALSE(client_->call("slow", as_bytes("block 600000"), options));
  EXPECT_TRUE(eventually([&] { return instance().value("restarts", 0) == 2 && instance()["state"] == "ready"; }));
  EXPECT_THAT(instance().value("last_error", ""), HasSubstr("past its deadline"));
  EXPECT_EQ(answer("echo three"), "three");
}

} // namespace
} // namespace tcfdl::test
