// Confidential files from the owner's machine to the instances: nothing on the way has them, and nobody else gets them.
#include "base/ids.hpp"
#include "database/sqlite.hpp"
#include "support/platform.hpp"
#include "support/search.hpp"

#include <algorithm>
#include <csignal>
#include <gmock/gmock.h>
#include <set>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

class ConfidentialE2e : public testing::Test {
protected:
  /// A function file in a directory of its own; sources stand beside it.
  [[nodiscard]] std::string function_file(const std::string& name, const std::string& yaml) const {
    const auto file = source_ / (name + ".yaml");
    EXPECT_TRUE(write_file(file, as_bytes(yaml)));
    return file.string();
  }
  [[nodiscard]] std::string lookup_file(const std::string& more = "") const {
    return function_file(
        "lookup", fmt::format("name: lookup\ncommand: [bin/lookup]\nfiles:\n  - {{source: {}, path: bin/lookup}}\n"
                              "  - {{source: table.txt, confidential: true}}\nprotection: [eae, none]\n{}",
                              Platform::binary("examples-lookup"), more));
  }
  void write_table() const { EXPECT_TRUE(write_file(source_ / "table.txt", as_bytes("owl " + marker_ + "\n"))); }
  static Json shown(Platform& platform) { return platform.json({"function", "show", "lookup"}); }
  static std::int64_t content_keys(const Platform& platform) {
    const auto database =
        database::Database::open(platform.state() / "nodes/service-manager/service_manager.sqlite").value();
    return database
        ->query_one("SELECT count(*) FROM content_keys", {}, [](const database::Row& row) { return row.integer(0); })
        .value()
        .value_or(-1);
  }

  TemporaryDirectory directory_;
  std::filesystem::path source_ = [this] {
    const auto path = directory_.path() / "source";
    std::filesystem::create_directories(path);
    return path;
  }();
  std::string marker_ = make_uuid() + make_uuid();
};

TEST_F(ConfidentialE2e, OpenInInstancesAndNowhereElse) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  write_table();
  const auto deployed = platform.tcfdl({"function", "deploy", lookup_file()});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto called = platform.invoke("lookup", "owl");
  EXPECT_EQ(called.out, marker_) << called.err;
  EXPECT_EQ(shown(platform)["confidential"], Json::array({"table.txt"}));
  EXPECT_THAT(platform.tcfdl({"function", "list"}).out, HasSubstr("table.txt"));

  EXPECT_EQ(files_with(platform.state(), marker_), std::vector<std::string>());
  for (const auto* name : {"service-manager", "local-master", "worker-1"}) {
    const auto pid = platform.ready(name)["pid"].get<pid_t>();
    EXPECT_FALSE(memory_has(pid, marker_)) << name;
  }
  for (const auto pid : platform.pids("tcfdl-proxy", platform.state().string())) {
    EXPECT_FALSE(memory_has(pid, marker_)) << "a proxy";
  }
  EXPECT_FALSE(files_with(source_, marker_).empty()) << "the same search finds it where it is";

  // No identity is made ahead for it: its proxy would know the keys that open the content key.
  ASSERT_EQ(platform.deploy("echo", "examples-echo").exit_code, 0);
  std::set<std::string> with_slots;
  EXPECT_TRUE(eventually([&] {
    const auto status = platform.json({"status"});
    for (const auto& node : status["nodes"]) {
      for (const auto& slot : node["slots"]) with_slots.insert(slot["function"]);
    }
    return with_slots.contains("echo");
  }));
  EXPECT_FALSE(with_slots.contains("lookup"));

  // A removed function leaves no key.
  EXPECT_EQ(content_keys(platform), 1);
  ASSERT_EQ(platform.tcfdl({"function", "remove", "lookup"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return content_keys(platform) == 0; }));
}

TEST_F(ConfidentialE2e, ProgramsBehindTcfdlExecNeedNoChange) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  const auto script = std::filesystem::path(TCFDL_SOURCE_DIR) / "examples/python/upper.py";
  ASSERT_TRUE(write_file(source_ / "upper.py", as_bytes(read_text_file(script).value() + "# " + marker_ + "\n")));
  write_table();
  const auto serve =
      function_file("upper", "name: text/upper\ncommand: [tcfdl-exec, serve, /usr/bin/python3, upper.py]\n"
                             "files: [{source: upper.py, confidential: true}]\n");
  const auto first = platform.tcfdl({"function", "deploy", serve});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(platform.invoke("text/upper", "owl").out, "OWL");

  const auto once = function_file("show", "name: text/show\ncommand: [tcfdl-exec, once, /bin/cat, data/table.txt]\n"
                                          "files: [{source: table.txt, path: data/table.txt, confidential: true}]\n");
  const auto second = platform.tcfdl({"function", "deploy", once});
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(platform.invoke("text/show", "").out, "owl " + marker_ + "\n");
  EXPECT_EQ(files_with(platform.state(), marker_), std::vector<std::string>());
}

TEST_F(ConfidentialE2e, AreDeployedByWhoCannotReadThem) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  write_table();
  const auto out = directory_.path() / "signed";
  const auto made = platform.tcfdl({"function", "sign", lookup_file("version: 7\n"), "--out", out.string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(files_with(out, marker_), std::vector<std::string>());
  std::filesystem::remove_all(source_);
  for (int repeated = 0; repeated < 2; ++repeated) {
    const auto deployed = platform.tcfdl({"function", "deploy", out.string()});
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    EXPECT_EQ(platform.invoke("lookup", "owl").out, marker_);
    EXPECT_EQ(content_keys(platform), 1);
  }
  // Without its key, and with one that somebody else signed, it is no function.
  auto document = Json::parse(read_text_file(out / "function.json").value());
  const auto key = document["content_key"].get<std::string>();
  document.erase("content_key");
  ASSERT_TRUE(write_file(out / "function.json", as_bytes(document.dump())));
  EXPECT_THAT(platform.tcfdl({"function", "deploy", out.string()}).err, HasSubstr("content key is missing"));
  document["content_key"] = key.substr(0, key.size() - 8) + "AAAAAAAA";
  ASSERT_TRUE(write_file(out / "function.json", as_bytes(document.dump())));
  EXPECT_THAT(platform.tcfdl({"function", "deploy", out.string()}).err, HasSubstr("UNAUTHENTICATED"));
}

TEST_F(ConfidentialE2e, WithoutTheKeyNoInstanceIsReadyAndItSaysWhy) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  write_table();
  ASSERT_EQ(platform.tcfdl({"function", "deploy", lookup_file()}).exit_code, 0);
  {
    const auto database =
        database::Database::open(platform.state() / "nodes/service-manager/service_manager.sqlite").value();
    ASSERT_TRUE(database->execute("DELETE FROM content_keys"));
  }
  for (const auto pid : platform.instances("lookup")) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    return platform.tcfdl({"function", "logs", "lookup"})
        .out.contains("the authority has no key for the confidential files of lookup");
  })) << platform.tcfdl({"function", "logs", "lookup"}).out;
  EXPECT_EQ(shown(platform)["instances_ready"], 0);
  EXPECT_EQ(platform.invoke("lookup", "owl", {"--timeout", "2s"}).exit_code, 1);
}

TEST_F(ConfidentialE2e, SwappedCiphertextDoesNotRun) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  write_table();
  const auto out = directory_.path() / "signed";
  ASSERT_EQ(platform.tcfdl({"function", "sign", lookup_file("scale: {min: 0}\n"), "--out", out.string()}).exit_code, 0);
  ASSERT_EQ(platform.tcfdl({"function", "deploy", out.string()}).exit_code, 0);
  const auto store = platform.state() / "nodes/local-master/artefacts";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store)) {
    if (!entry.is_regular_file()) continue;
    auto content = read_file(entry.path()).value();
    if (as_text(content).starts_with("tcfdlcf1")) content.back() ^= 1U;
    ASSERT_TRUE(write_file(entry.path(), content));
  }
  auto document = Json::parse(read_text_file(out / "function.json").value());
  document["settings"]["scale"]["min"] = 1;
  ASSERT_TRUE(write_file(out / "function.json", as_bytes(document.dump())));
  const auto deployed = platform.tcfdl({"function", "deploy", out.string(), "--timeout", "5s"});
  EXPECT_EQ(deployed.exit_code, 1);
  EXPECT_THAT(deployed.err, HasSubstr("DATA_LOSS"));
  EXPECT_TRUE(eventually([&] { return platform.tcfdl({"status"}).out.contains("DATA_LOSS"); }))
      << platform.tcfdl({"status"}).out;
}

TEST_F(ConfidentialE2e, WhatDoesNotFitIntoTheMemoryIsSaidBeforeItIsSent) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  ASSERT_TRUE(write_file(source_ / "table.txt", Bytes(std::size_t{3} << 20U, 'x')));
  const auto deployed = platform.tcfdl({"function", "deploy", lookup_file("resources: {memory: 2MiB}\n")});
  EXPECT_EQ(deployed.exit_code, 1);
  EXPECT_THAT(deployed.err, HasSubstr("raise resources.memory"));
}

} // namespace
} // namespace tcfdl::test
