// NATS users of nodes: kept over restarts, taken away by a revocation.
#include "support/platform.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace tcfdl::test {
namespace {

class Credential : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(platform_.up(), ""); }

  [[nodiscard]] std::string log_of(const std::string& daemon) const {
    return read_text_file(platform_.state() / "logs" / (daemon + ".log")).value_or("");
  }
  bool comes_to_say(const std::string& daemon, const std::string& words) const {
    return eventually([&] { return log_of(daemon).contains(words); });
  }
  [[nodiscard]] pid_t pid_of(const std::string& daemon) const { return platform_.ready(daemon)["pid"].get<pid_t>(); }
  [[nodiscard]] std::filesystem::path node(const std::string& name) const { return platform_.state() / "nodes" / name; }

  /// Whether a node hosts a ready instance, as the master sees it.
  bool hosts(const std::string& node) {
    const auto status = platform_.json({"status"});
    if (!status.is_object()) return false;
    for (const auto& instance : status["instances"]) {
      if (instance["node"] == node && instance["state"] == "ready") return true;
    }
    return false;
  }

  Platform platform_;
};

TEST_F(Credential, OfAWorkerOutlivesItWithoutItsToken) {
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  ASSERT_TRUE(eventually([&] { return hosts("worker-1"); }));
  const auto kept = read_file(node("worker-1") / "nats_credential").value();
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(platform_.state())) {
    if (entry.path().filename().string().contains("token")) std::filesystem::remove(entry.path(), error);
  }
  const auto before = pid_of("worker-1");
  ::kill(before, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    const auto ready = platform_.ready("worker-1");
    return ready.is_object() && ready.value("pid", before) != before;
  })) << log_of("worker-1");
  EXPECT_TRUE(eventually([&] { return platform_.invoke("echo", "back").out == "back" && hosts("worker-1"); }));
  EXPECT_EQ(read_file(node("worker-1") / "nats_credential").value(), kept);
}

TEST_F(Credential, OfARevokedWorkerIsUselessAndBothSidesSaySo) {
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  EXPECT_NE(platform_.tcfdl({"node", "revoke", "nobody"}).exit_code, 0);
  EXPECT_NE(platform_.tcfdl({"node", "revoke", "local-master"}).exit_code, 0) << "a master is no worker";
  const auto kept = read_file(node("worker-1") / "nats_credential").value();
  const auto revoked = platform_.tcfdl({"node", "revoke", "worker-1"});
  ASSERT_EQ(revoked.exit_code, 0) << revoked.err;
  EXPECT_TRUE(comes_to_say("worker-1", "User Authentication Revoked"));
  EXPECT_TRUE(eventually([&] { return !hosts("worker-1"); }));
  EXPECT_TRUE(comes_to_say("worker-1", "the message queue refuses `worker-1` for good"));
  EXPECT_TRUE(comes_to_say("local-master", "the enrolment of worker-1 is revoked"));
  EXPECT_NE(platform_.tcfdl({"node", "revoke", "worker-1"}).exit_code, 0) << "it is no node any more";
  EXPECT_NE(platform_.tcfdl({"audit"}).out.find("/v1/revocations"), std::string::npos);

  // A new start with what it kept is refused as well; the master's own instances serve on.
  ::kill(pid_of("worker-1"), SIGKILL);
  EXPECT_TRUE(comes_to_say("worker-1", "UNAUTHENTICATED"));
  const auto broker = [&] {
    return read_text_file(node("local-master") / "nats" / "nats-server.log")
        .value_or("")
        .contains("authentication error");
  };
  EXPECT_TRUE(eventually(broker));

  // Without its kept JWT it asks for another, with its token's user or none: its certificate is refused.
  std::filesystem::remove(node("worker-1") / "nats_credential");
  EXPECT_TRUE(comes_to_say("worker-1", "worker-1 was revoked; enrol it again"));
  EXPECT_TRUE(comes_to_say("local-master", "a NATS credential is refused"));
  EXPECT_FALSE(hosts("worker-1"));

  // A master that starts again has not forgotten.
  const auto master = pid_of("local-master");
  ::kill(master, SIGKILL);
  ASSERT_TRUE(
      eventually([&] { return platform_.ready("local-master").is_object() && pid_of("local-master") != master; }));
  ASSERT_TRUE(write_file(node("worker-1") / "nats_credential", kept));
  const auto said = log_of("worker-1").size();
  EXPECT_TRUE(eventually([&] { return log_of("worker-1").find("UNAUTHENTICATED", said) != std::string::npos; }));
}

TEST_F(Credential, OfEverybodySurviveThatAllProcessesAreKilled) {
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  const auto state = platform_.state().string();
  ASSERT_GE(platform_.pids("nats-server", state).size(), 2U);
  for (const auto pid : platform_.pids("", state)) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return platform_.pids("", state).empty(); }));
  ASSERT_EQ(platform_.up(), "");
  EXPECT_TRUE(eventually([&] { return platform_.invoke("echo", "again").out == "again"; })) << log_of("worker-1");
}

} // namespace
} // namespace tcfdl::test
