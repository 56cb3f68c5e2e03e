// The platform as its operator sees it: up, down, recovery, a second one, a worker joined by hand, bundles of its own.
#include "support/platform.hpp"

#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>

namespace tcfdl::test {
namespace {

TEST(Operation, ASecondUpOnTheSameStateIsRefusedAndNamesThePidWhileAnotherStateWorks) {
  Platform first;
  ASSERT_EQ(first.up(), "");
  const auto refused = first.up();
  EXPECT_NE(refused.find("FAILED_PRECONDITION"), std::string::npos) << refused;
  const auto supervisors = first.pids("up", first.state().string());
  ASSERT_FALSE(supervisors.empty());
  EXPECT_TRUE(std::ranges::any_of(supervisors, [&](pid_t pid) {
    return refused.find(std::to_string(pid)) != std::string::npos;
  })) << refused;
  Platform second;
  EXPECT_EQ(second.up(), "");
}

TEST(Operation, DownLeavesNoProcessBehind) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("echo", "examples-echo").exit_code, 0);
  ASSERT_FALSE(platform.pids("", platform.state().string()).empty());
  EXPECT_EQ(platform.down().exit_code, 0);
  EXPECT_TRUE(platform.pids("", platform.state().string()).empty());
  EXPECT_TRUE(platform.instances("bin/examples-echo").empty());
}

TEST(Operation, AKilledUpTakesItsDaemonsAndItsStateIsRecovered) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("echo", "examples-echo").exit_code, 0);
  const auto before = platform.ready("local-master");
  for (const auto pid : platform.pids("up", platform.state().string())) ::kill(pid, SIGKILL);
  const auto master = before["pid"].get<pid_t>();
  ASSERT_TRUE(eventually([&] { return !is_alive(master); })) << "daemons end with their supervisor";
  ASSERT_EQ(platform.up(), "");
  EXPECT_EQ(platform.ready("local-master")["api_url"], before["api_url"]) << "ports are kept";
  EXPECT_TRUE(eventually([&] { return platform.invoke("echo", "again").out == "again"; })) << "functions are kept";
}

TEST(Operation, AWorkerJoinsByHandFromAnotherDirectory) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  const TemporaryDirectory elsewhere;
  const auto token = (elsewhere.path() / "token").string();
  ASSERT_EQ(platform.tcfdl({"token", "create", "--role", "worker", "--out", token}).exit_code, 0);
  const auto config = elsewhere.path() / "worker.yaml";
  ASSERT_TRUE(write_file(config, as_bytes("node: by-hand\nstate: " + (elsewhere.path() / "state").string() +
                                          "\nenrolment_token_file: " + token + "\ntee: software\nready_file: " +
                                          (elsewhere.path() / "ready").string() + "\n")));
  Background worker({Platform::binary("tcfdl"), "worker", "--config", config.string()}, {},
                    (elsewhere.path() / "log").string());
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(elsewhere.path() / "ready"); }))
      << read_text_file(elsewhere.path() / "log").value_or("");
  ASSERT_EQ(platform.deploy("echo", "examples-echo", "scale: {min: 4}\n").exit_code, 0);
  const auto has_instances = [&] {
    const auto status = platform.json({"status"});
    return status.is_object() && std::ranges::any_of(status["instances"], [](const Json& instance) {
             return instance["node"] == "by-hand" && instance["state"] == "ready";
           });
  };
  EXPECT_TRUE(eventually(has_instances));
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.wait(), 0);

  // The token is spent: nobody else joins with it.
  const auto thief = elsewhere.path() / "thief.yaml";
  ASSERT_TRUE(write_file(thief, as_bytes("node: thief\nstate: " + (elsewhere.path() / "other").string() +
                                         "\nenrolment_token_file: " + token + "\ntee: software\n")));
  const auto refused = run({Platform::binary("tcfdl"), "worker", "--config", thief.string()});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("UNAUTHENTICATED"), std::string::npos) << refused.err;
}

TEST(Operation, TheProxyLinksNoBrokerDatabaseNetworkingOrInferenceLibrary) {
  const auto linked = run({"ldd", Platform::binary("tcfdl-proxy")});
  ASSERT_EQ(linked.exit_code, 0) << linked.err;
  for (const auto* library : {"libnats", "libsqlite", "libboost", "libonnxruntime"}) {
    EXPECT_EQ(linked.out.find(library), std::string::npos) << linked.out;
  }
}

TEST(Operation, ADeployedFunctionNeedsItsSourceNoMore) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  const TemporaryDirectory source;
  const auto program = source.path() / "program";
  std::filesystem::copy_file(Platform::binary("examples-echo"), program);
  const auto yaml = source.path() / "echo.yaml";
  ASSERT_TRUE(write_file(yaml, as_bytes("name: kept\ncommand: [bin/p]\nfiles: [{source: program, path: bin/p}]\n")));
  const auto deployed = platform.tcfdl({"function", "deploy", yaml.string()});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  std::filesystem::remove_all(source.path());
  const auto worker = platform.ready("worker-1")["pid"].get<pid_t>();
  ::kill(worker, SIGTERM);
  ASSERT_TRUE(eventually([&] { return !is_alive(worker); }));
  EXPECT_TRUE(eventually([&] { return platform.invoke("kept", "still here").out == "still here"; }));
}

TEST(Operation, ADamagedStoreIsNoticedAndFetchedAgain) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("echo", "examples-echo").exit_code, 0);
  const auto store = platform.state() / "nodes" / "worker-1" / "store";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store)) {
    if (entry.is_regular_file()) {
      std::filesystem::permissions(entry.path(), std::filesystem::perms(0755));
      ASSERT_TRUE(write_file(entry.path(), as_bytes("damaged")));
    }
  }
  const auto pids = platform.instances("bin/examples-echo");
  for (const auto pid : pids) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return platform.invoke("echo", "whole").out == "whole"; }));
}

/// What a program prints, from all its instances, each line once, over their deaths.
TEST(Operation, LogsAreFollowedUntilTheFunctionIsRemoved) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  const auto file = platform.root() / "teller.yaml";
  ASSERT_TRUE(write_file(file, as_bytes("name: teller\nversion: 1\nscale: {min: 2, max: 2}\n"
                                        "command: [tcfdl-exec, once, --, /bin/sh, -c, 'echo \"said $(cat)\" >&2']\n")));
  const auto deployed = platform.tcfdl({"function", "deploy", file.string()});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto output = platform.root() / "followed";
  Background following({Platform::binary("tcfdl"), "function", "logs", "teller", "-f"}, platform.environment(),
                       output.string());
  const auto times = [&](const std::string& text) {
    const auto followed = read_text_file(output).value_or("");
    std::size_t found = 0;
    for (auto at = followed.find(text); at != std::string::npos; at = followed.find(text, at + 1)) ++found;
    return found;
  };
  ASSERT_TRUE(eventually([&] { return times("== teller-") > 0; })) << read_text_file(output).value_or("");
  ASSERT_EQ(platform.invoke("teller", "one").exit_code, 0);
  EXPECT_TRUE(eventually([&] { return times("said one\n") == 1; }));
  const auto pids = platform.instances("bin/tcfdl-exec");
  ASSERT_EQ(pids.size(), 2U);
  for (const auto pid : pids) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return platform.invoke("teller", "two").exit_code == 0; }));
  EXPECT_TRUE(eventually([&] { return times("said two\n") == 1; }));
  EXPECT_EQ(times("said one\n"), 1U);
  ASSERT_EQ(platform.tcfdl({"function", "remove", "teller"}).exit_code, 0);
  EXPECT_EQ(following.wait(), 0) << read_text_file(output).value_or("");
}

TEST(Operation, FunctionsAreListedShownLoggedAndRemoved) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("echo", "examples-echo", "version: 1\nlogs: host\n").exit_code, 0);
  EXPECT_NE(platform.tcfdl({"function", "list"}).out.find("echo"), std::string::npos);
  EXPECT_EQ(platform.json({"function", "show", "echo"})["version"], 1);
  EXPECT_NE(platform.tcfdl({"function", "logs", "echo"}).out.find("ready"), std::string::npos);
  EXPECT_EQ(platform.deploy("echo", "examples-echo", "version: 2\n").exit_code, 0);
  EXPECT_EQ(platform.json({"function", "show", "echo"})["version"], 2);
  const auto older = platform.deploy("echo", "examples-echo", "version: 1\n");
  EXPECT_EQ(older.exit_code, 1);
  EXPECT_NE(older.err.find("FAILED_PRECONDITION"), std::string::npos) << older.err;
  EXPECT_EQ(platform.tcfdl({"function", "remove", "echo"}).exit_code, 0);
  const auto gone = platform.invoke("echo", "x", {"--timeout", "3s"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_NE(gone.err.find("NOT_FOUND"), std::string::npos) << gone.err;
}

TEST(Operation, ACallerThatIsTooFastIsRefusedAndTheAuditLogTellsOfIt) {
  Platform platform("clusters:\n  - {name: local, calls_per_second: 1}\n");
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("echo", "examples-echo").exit_code, 0);
  const auto refused = [&] {
    return platform.invoke("echo", "x").err.find("local-user exceeds 1 a second") != std::string::npos;
  };
  EXPECT_TRUE(eventually([&] { return platform.invoke("echo", "x").out == "x"; }));
  EXPECT_TRUE(eventually(refused));
  const auto told = [&] {
    const auto records = platform.json({"audit"}).value("records", Json::array());
    return std::ranges::any_of(records, [](const Json& r) {
      return r["who"] == "local-user" && r["action"] == "CALL" && r["object"] == "echo" && r["allowed"] == false;
    });
  };
  EXPECT_TRUE(eventually(told));
  EXPECT_TRUE(eventually([&] { return platform.invoke("echo", "later").out == "later"; }));
}

TEST(Operation, ARoleBoundsWhatItsHolderMayDoAndTheAuditLogTellsOfIt) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(platform.deploy("echo", "examples-echo").exit_code, 0);
  const auto file = (platform.root() / "ann.json").string();
  ASSERT_FALSE(platform.json({"access", "create", "ann", "--role", "viewer", "--out", file}).is_null());
  EXPECT_EQ(platform.tcfdl({"--context", file, "status"}).exit_code, 0);
  const auto refused = platform.tcfdl({"--context", file, "function", "remove", "echo"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE(refused.err.find("ann has the role viewer, which may not do this"), std::string::npos) << refused.err;
  EXPECT_EQ(platform.invoke("echo", "still there").out, "still there");

  ASSERT_FALSE(platform.json({"access", "revoke", "ann"}).is_null());
  EXPECT_NE(platform.tcfdl({"--context", file, "status"}).err.find("UNAUTHENTICATED"), std::string::npos);

  std::vector<Json> records;
  const auto told = [&] {
    records = platform.json({"audit"}).value("records", Json::array()).get<std::vector<Json>>();
    return std::ranges::any_of(records, [](const Json& r) { return r["who"] == "" && r["outcome"] == "401"; });
  };
  ASSERT_TRUE(eventually(told));
  const auto removal = std::ranges::find_if(records, [](const Json& r) { return r["who"] == "ann"; });
  ASSERT_NE(removal, records.end());
  EXPECT_EQ((*removal)["action"], "DELETE");
  EXPECT_EQ((*removal)["object"], "/v1/functions/echo");
  EXPECT_EQ((*removal)["allowed"], false);
}

} // namespace
} // namespace tcfdl::test
