// Keys that change while calls go on, and what is revoked while it is in use.
#include "database/sqlite.hpp"
#include "sdk/context.hpp"
#include "sdk/identity.hpp"
#include "support/platform.hpp"
#include "wire/revocations.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <set>
#include <tcfdl/client.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class Epochs : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed = platform_.deploy("echo", "examples-echo", "scale: {min: 2}\nidempotent: true\n");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }

  static std::unique_ptr<Client> connect(const std::string& context = "local") {
    auto client = Client::connect(context);
    EXPECT_TRUE(client) << client.error().to_string();
    return client ? *std::move(client) : nullptr;
  }
  /// Epochs of which the authority holds a key.
  [[nodiscard]] std::set<std::int64_t> epochs_held() const {
    std::set<std::int64_t> epochs;
    const auto file = platform_.state() / "nodes" / "service-manager" / "service_manager.sqlite";
    const auto database = database::Database::open(file).value();
    EXPECT_TRUE(
        database->query("SELECT epoch FROM function_keys WHERE function = 'echo'", {}, [&](const database::Row& row) {
          epochs.insert(row.integer(0));
          return Status();
        }));
    return epochs;
  }
  /// The list that a node's proxy has.
  [[nodiscard]] std::unique_ptr<wire::Revocations> known_to(const std::string& node) const {
    const auto authority = sdk::identity_of(sdk::load_context("local").value()).value().authority;
    return wire::Revocations::open(platform_.state() / "nodes" / node / "proxy" / "revocations", authority).value();
  }

  Platform platform_;
};

TEST_F(Epochs, RotateTwiceWhileCallsGoOnAndNoneIsLost) {
  std::atomic<bool> ended = false;
  std::atomic<int> calls = 0;
  std::vector<std::string> lost;
  std::mutex mutex;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&, i] {
      const auto client = connect();
      for (int n = 0; !ended; ++n) {
        const auto body = fmt::format("{} of {}", n, i);
        const auto result = client->call("echo", as_bytes(body));
        ++calls;
        const std::scoped_lock lock(mutex);
        if (!result) lost.push_back(result.error().to_string());
        if (result && as_text(result->body) != body) lost.push_back("another body");
      }
    });
  }
  const auto idle = connect();
  ASSERT_TRUE(idle->call("echo", as_bytes("a capsule of the first epoch")));
  const auto goes_on = [&] {
    const auto before = calls.load();
    return eventually([&] { return calls > before + 20; });
  };
  ASSERT_TRUE(goes_on());
  const auto first = platform_.json({"function", "rotate-key", "echo", "--overlap", "4s"});
  ASSERT_TRUE(first.is_object());
  EXPECT_TRUE(goes_on());
  const auto second = platform_.json({"function", "rotate-key", "echo", "--overlap", "2s"});
  ASSERT_TRUE(second.is_object());
  EXPECT_EQ(second["epoch"].get<int>(), first["epoch"].get<int>() + 1);
  const std::set<std::int64_t> newest{second["epoch"].get<std::int64_t>()};
  EXPECT_GT(epochs_held().size(), 1U) << "both are valid for the overlap";
  EXPECT_TRUE(goes_on());
  EXPECT_TRUE(eventually([&] { return epochs_held() == newest; }, seconds(20))) << "the keys of before are gone";
  EXPECT_TRUE(goes_on());
  ended = true;
  callers.clear();
  EXPECT_THAT(lost, testing::IsEmpty());

  const auto late = idle->call("echo", as_bytes("after all that"));
  ASSERT_TRUE(late) << late.error().to_string();
  EXPECT_EQ(late->report.attempts, 2U) << "its old capsule is refused, then it has got keys of the new epoch";
  EXPECT_THAT(platform_.tcfdl({"audit"}).out, HasSubstr("/v1/functions/echo/keys"));
}

TEST_F(Epochs, AreNotRotatedByWhoMayOnlyCall) {
  const auto refused = platform_.tcfdl({"function", "rotate-key", "nobody/knows"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("NOT_FOUND"));
  const auto context = sdk::load_context("local").value();
  const auto token = platform_.json({"access", "create", "carl", "--role", "caller"});
  ASSERT_TRUE(token.is_object());
  const auto answer =
      run({"curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-d", "{}", "-H",
           "Authorization: Bearer " + token.value("token", ""), context.api_url + "/v1/functions/echo/keys"});
  EXPECT_EQ(answer.out, "403") << answer.err;
}

TEST_F(Epochs, ARevokedClientIsRefusedWithinTwoSecondsWithItsCachedCapsuleAndOthersAreNot) {
  const auto enrolled = platform_.enrol("bob");
  ASSERT_EQ(enrolled.exit_code, 0) << enrolled.err;
  const auto bob = connect("bob");
  const auto other = connect();
  ASSERT_TRUE(bob->call("echo", as_bytes("x")));
  ASSERT_TRUE(other->call("echo", as_bytes("x")));
  const auto revoked = platform_.tcfdl({"client", "revoke", "bob"});
  ASSERT_EQ(revoked.exit_code, 0) << revoked.err;
  const auto began = std::chrono::steady_clock::now();
  CallOptions options;
  options.timeout = seconds(5);
  EXPECT_TRUE(eventually([&] { return !bob->call("echo", as_bytes("x"), options); }, seconds(10)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));
  const auto refused = bob->call("echo", as_bytes("x"), options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("revoked"));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(other->call("echo", as_bytes("x")));
  EXPECT_NE(platform_.tcfdl({"client", "revoke", "nobody"}).exit_code, 0);
  for (const auto* node : {"local-master", "worker-1"}) {
    EXPECT_TRUE(eventually([&] { return known_to(node)->number() > 0; })) << node;
  }
}

TEST_F(Epochs, ARevokedInstanceIsEndedAndAnotherTakesItsPlace) {
  const auto client = connect();
  const auto instances = [&] {
    std::set<std::pair<std::string, int>> all;
    const auto function = platform_.json({"function", "show", "echo"});
    if (!function.is_object()) return all;
    for (const auto& instance : function["instances"]) {
      if (instance["state"] == "ready") all.emplace(instance["id"], instance["pid"]);
    }
    return all;
  };
  ASSERT_TRUE(eventually([&] { return instances().size() == 2; }));
  const auto before = instances();
  const auto victim = *before.begin();
  const auto began = std::chrono::steady_clock::now();
  const auto revoked = platform_.tcfdl({"instance", "revoke", victim.first});
  ASSERT_EQ(revoked.exit_code, 0) << revoked.err;
  EXPECT_TRUE(eventually([&] { return !is_alive(victim.second); }));
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(2));
  EXPECT_TRUE(eventually([&] { return instances().size() == 2 && !instances().contains(victim); }));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client->call("echo", as_bytes("x")));
}

TEST_F(Epochs, ARevokedWorkerIsOnTheListWithItsProxy) {
  ASSERT_EQ(platform_.tcfdl({"node", "revoke", "worker-1"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return known_to("local-master")->number() > 0; }, seconds(2)));
  const auto list = wire::parse<wire::RevocationList>(known_to("local-master")->list().statement()).value();
  EXPECT_GE(list.serials_size(), 2) << "node, proxy, and the instances that ran there";
  EXPECT_GE(list.keys_size(), 2);
}

} // namespace
} // namespace tcfdl::test
