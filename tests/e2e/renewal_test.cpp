// Certificates that live for seconds: every process renews its own while calls go on.
#include "database/sqlite.hpp"
#include "support/platform.hpp"

#include <atomic>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <map>
#include <set>
#include <tcfdl/client.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

using std::chrono::seconds;

class Renewals : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed =
        platform_.deploy("echo", "examples-echo", "scale: {min: 2}\nidempotent: true\nprotection: [eae, hse]\n");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }

  /// The newest certificate of each process that runs. Slots, which are replaced and not renewed, are left out.
  [[nodiscard]] std::map<std::string, std::int64_t> issued() {
    std::set<std::string> running;
    const auto status = platform_.json({"status"});
    for (const auto& instance : status["instances"]) running.insert(instance["id"]);
    std::map<std::string, std::int64_t> newest;
    const auto file = platform_.state() / "nodes" / "service-manager" / "service_manager.sqlite";
    const auto database = database::Database::open(file).value();
    EXPECT_TRUE(database->query("SELECT holder, max(serial) FROM issued WHERE what LIKE 'ROLE_%' GROUP BY holder", {},
                                [&](const database::Row& row) {
                                  const auto holder = row.text(0);
                                  const bool is_slot = holder.starts_with("echo-") && !running.contains(holder);
                                  if (!is_slot) newest[holder] = row.integer(1);
                                  return Status();
                                }));
    return newest;
  }

  /// Writes a client's certificate for curl; whether that went well.
  bool write_tls() { return platform_.tcfdl({"context", "tls", "--out", tls().string()}).exit_code == 0; }
  [[nodiscard]] std::filesystem::path tls() const { return platform_.root() / "tls"; }
  /// Calls by that certificate at the gateway.
  [[nodiscard]] Finished curl() const {
    const auto url = platform_.ready("local-master")["gateway_url"].get<std::string>();
    const std::string name = "local.gateway.tcfdl.internal";
    return run({"curl", "-sS", "--connect-to", name + ":443:" + url.substr(url.find("//") + 2), "--cacert",
                (tls() / "root.pem").string(), "--cert", (tls() / "cert.pem").string(), "--key",
                (tls() / "key.pem").string(), "--data-binary", "x", "https://" + name + "/v1/functions/echo/invoke"});
  }

  Platform platform_{
      "certificate_lifetime: 20s\nclusters:\n  - name: local\n    gateway_tls: true\n    workers: [worker-1]\n"};
};

TEST_F(Renewals, GoOnInEveryProcessAndNoCallIsLost) {
  std::atomic<bool> ended = false;
  std::atomic<int> calls = 0;
  std::mutex mutex;
  std::vector<std::string> lost;
  std::vector<std::jthread> callers;
  for (const auto protection : {Protection::kEae, Protection::kHse}) {
    callers.emplace_back([&, protection] {
      const auto client = Client::connect("local").value();
      CallOptions options;
      options.protection = protection;
      while (!ended) {
        const auto result = client->call("echo", as_bytes("x"), options);
        ++calls;
        if (result) continue;
        const std::scoped_lock lock(mutex);
        lost.push_back(result.error().to_string());
      }
    });
  }
  ASSERT_TRUE(write_tls());
  EXPECT_EQ(curl().out, "x");
  const auto first = issued();
  ASSERT_GE(first.size(), 7U) << "master, worker, two proxies, gateway, instances, client";
  // Twice for each: what it got first has expired by then, and what it used to renew that as well.
  for (int round = 0; round < 2; ++round) {
    const auto before = issued();
    EXPECT_TRUE(eventually(
        [&] {
          const auto now = issued();
          return std::ranges::all_of(
              before, [&](const auto& one) { return now.contains(one.first) && now.at(one.first) > one.second; });
        },
        seconds(60)));
  }
  const auto so_far = calls.load();
  EXPECT_TRUE(eventually([&] { return calls > so_far + 20; }));
  ended = true;
  callers.clear();
  EXPECT_THAT(lost, testing::IsEmpty());
  // The gateway's certificate in TLS follows; an HTTP caller's is what was written until it is written anew.
  const auto expired = curl();
  EXPECT_NE(expired.exit_code, 0);
  EXPECT_THAT(expired.err, testing::HasSubstr("alert"));
  ASSERT_TRUE(write_tls());
  EXPECT_EQ(curl().out, "x");
  const auto status = platform_.json({"status"});
  ASSERT_TRUE(status.is_object());
  EXPECT_EQ(status["instances"].size(), 2U);
  for (const auto& instance : status["instances"]) EXPECT_EQ(instance["restarts"], 0);
}

} // namespace
} // namespace tcfdl::test
