// Local connections over loopback TCP, as SGX needs them, and nodes whose proxy a launcher starts. No SGX is needed:
// the launcher of these tests passes on what Gramine passes on, and its proxy attests as its arguments say.
#include "support/platform.hpp"

#include <csignal>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <thread>

namespace tcfdl::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Unix sockets that a process has open, as /proc tells.
std::size_t unix_sockets_of(pid_t pid) {
  std::set<std::string> ours;
  std::error_code failure;
  for (const auto& fd : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), failure)) {
    const auto target = std::filesystem::read_symlink(fd.path(), failure).string();
    if (target.starts_with("socket:[")) ours.insert(target.substr(8, target.size() - 9));
  }
  std::istringstream table(read_text_file(fmt::format("/proc/{}/net/unix", pid)).value_or(""));
  std::size_t count = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 7; ++i) words >> word;
    count += ours.count(word);
  }
  return count;
}

class OverLoopback : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed = platform_.deploy("echo", "examples-echo");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  [[nodiscard]] std::vector<pid_t> proxies() const { return platform_.pids("tcfdl-proxy", platform_.state().string()); }
  bool answers(const std::string& protection) {
    return platform_.invoke("echo", "hello", {"--protection", protection}).out == "hello";
  }

  Platform platform_{"clusters:\n  - name: local\n    workers: [worker-1]\nlocal_adapter: tcp\n"};
};

TEST_F(OverLoopback, EveryProtectionWorksAndNoUnixSocketIsLeft) {
  for (const auto* protection : {"eae", "hse", "none"}) EXPECT_TRUE(answers(protection)) << protection;
  ASSERT_EQ(proxies().size(), 2U);
  for (const auto pid : proxies()) EXPECT_EQ(unix_sockets_of(pid), 0U);
}

TEST_F(OverLoopback, AProxyThatWasKilledReturnsWithItsIdentity) {
  ASSERT_TRUE(answers("eae"));
  const auto before = proxies();
  for (const auto pid : before) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return answers("eae") && answers("hse"); }));
  for (const auto pid : before) EXPECT_FALSE(is_alive(pid));
  EXPECT_EQ(proxies().size(), 2U);
}

TEST_F(OverLoopback, APlatformReturnsFromItsState) {
  ASSERT_EQ(platform_.down().exit_code, 0);
  EXPECT_TRUE(proxies().empty());
  ASSERT_EQ(platform_.up(), "");
  EXPECT_TRUE(eventually([&] { return answers("eae"); }));
  EXPECT_TRUE(answers("hse"));
}

/// A master with `tee: gramine`, its service manager and a worker of it, without `tcfdl up`.
class Launched : public testing::Test {
protected:
  void SetUp() override {
    write("policy.yaml", "version: 1\nroles:\n  master: {tee_kinds: {software: software}}\n"
                         "  worker: {tee_kinds: {software: software}}\n");
    write("sm.yaml", fmt::format("state: {0}/sm\npolicy: {0}/policy.yaml\nready_file: {0}/sm.ready\n"
                                 "initial_tokens: [{{role: master, cluster: west, file: {0}/token}}]\n",
                                 directory_.path().string()));
    service_manager_ = daemon("service-manager", "sm");
    ASSERT_TRUE(is_ready("sm"));
  }
  void write(const std::string& name, const std::string& text, mode_t mode = kPrivateFile) const {
    ASSERT_TRUE(write_file(path(name), as_bytes(text), mode));
  }
  [[nodiscard]] std::unique_ptr<Background> daemon(const std::string& command, const std::string& name) const {
    return std::make_unique<Background>(
        std::vector<std::string>{Platform::binary("tcfdl"), command, "--config", path(name + ".yaml")},
        platform_.environment(), path(name + ".log"));
  }
  [[nodiscard]] bool is_ready(const std::string& name) const {
    return eventually([&] { return std::filesystem::exists(path(name + ".ready")); });
  }
  [[nodiscard]] std::string log(const std::string& name) const {
    return read_text_file(path(name + ".log")).value_or("");
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  /// What stands in for gramine-sgx: it passes the variables of the manifest on and no descriptor but the standard
  /// ones; `arguments` are those of the manifest.
  void write_launcher(const std::string& arguments) {
    const auto script = fmt::format("#!/bin/sh\n"
                                    "test \"$1\" = {0}/tcfdl-proxy || exit 9\n"
                                    "exec 3>&- 4>&- 5>&-\n"
                                    "exec env -i TCFDL_NODE=\"$TCFDL_NODE\" TCFDL_PROXY=\"$TCFDL_PROXY\" "
                                    "TCFDL_DAEMON=\"$TCFDL_DAEMON\" TCFDL_DAEMON_SECRET=\"$TCFDL_DAEMON_SECRET\" "
                                    "{1} {2}\n",
                                    directory_.path().string(), Platform::binary("tcfdl-proxy"), arguments);
    ASSERT_TRUE(write_file(path("launcher"), as_bytes(script), 0755));
  }
  void write_master() const {
    write("master.yaml",
          fmt::format("cluster: west\nstate: {0}/master\nenrolment_token_file: {0}/token\ntee: gramine\n"
                      "gramine: {{launcher: {0}/launcher, proxy: {0}/tcfdl-proxy}}\nhost_instances: false\n"
                      "gateway: none\nready_file: {0}/master.ready\n",
                      directory_.path().string()));
  }
  /// A master that is to end by itself.
  [[nodiscard]] Finished run_master() const {
    write_master();
    return run({Platform::binary("tcfdl"), "master", "--config", path("master.yaml")}, platform_.environment());
  }
  void expect(std::vector<std::string> arguments) {
    const auto finished = platform_.tcfdl(std::move(arguments));
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
  }
  /// The process that the launcher became.
  [[nodiscard]] pid_t proxy() const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto line = read_text_file(entry.path() / "cmdline").value_or("");
      if (line.find(path("proxy")) != std::string::npos && line.find("tcfdl-proxy") != std::string::npos)
        return static_cast<pid_t>(std::stol(entry.path().filename()));
    }
    return 0;
  }
  Invoked call(const std::string& body, const std::string& protection = "eae") {
    return platform_.invoke("echo", body, {"--protection", protection, "--context", "west"});
  }

  TemporaryDirectory directory_;
  Platform platform_;
  std::unique_ptr<Background> service_manager_;
};

TEST_F(Launched, AMastersProxyIsEntryAndHopOfItsClients) {
  write_launcher(fmt::format("--state {} --tee software", path("proxy")));
  write_master();
  const auto master = daemon("master", "master");
  ASSERT_TRUE(is_ready("master")) << log("master");
  expect({"enrol", "--ready", path("master.ready"), "--name", "west"});
  expect({"token", "create", "--role", "worker", "--out", path("worker.token"), "--context", "west"});
  write("worker.yaml", fmt::format("node: w-1\nstate: {0}/worker\nenrolment_token_file: {0}/worker.token\n"
                                   "tee: software\nready_file: {0}/worker.ready\n",
                                   directory_.path().string()));
  const auto worker = daemon("worker", "worker");
  ASSERT_TRUE(is_ready("worker")) << log("worker");
  const auto deployed = platform_.deploy("echo", "examples-echo", "", {}, "west");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto called = call("through west");
  EXPECT_EQ(called.out, "through west") << called.err;
  const auto hops = call("by hops", "hse");
  EXPECT_EQ(hops.out, "by hops") << hops.err;
  EXPECT_EQ(hops.summary["proxies"][0], "west-master/proxy");

  const auto pid = proxy();
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return call("again").out == "again" && call("hops", "hse").out == "hops"; }));
}

TEST_F(Launched, AnEnclaveThatDoesNotStartIsAnErrorAtOnceWithTheEndOfItsLog) {
  write("launcher", "#!/bin/sh\necho enclave memory is short >&2\nexit 3\n", 0755);
  const auto failed = run_master();
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, AllOf(HasSubstr("cannot start the TEE proxy"), HasSubstr("exited with status 3"),
                                HasSubstr("enclave memory is short")));
  std::filesystem::remove(path("launcher"));
  EXPECT_THAT(run_master().err, AllOf(HasSubstr("cannot start the TEE proxy"), HasSubstr("launcher")));
}

TEST_F(Launched, EvidenceOfTheAttestationFilesReachesTheServiceManagerWhichHoldsItAgainstThePolicy) {
  const auto root = directory_.path() / "attestation";
  std::filesystem::create_directory(root);
  ASSERT_TRUE(write_file(root / "attestation_type", as_bytes("dcap\n")));
  for (const auto* file : {"user_report_data", "quote"}) ASSERT_EQ(::mkfifo((root / file).c_str(), 0600), 0);
  write_launcher(
      fmt::format("--state {}/proxy --tee gramine --attestation-root {}", directory_.path().string(), root.string()));
  std::thread enclave([&] { // the processor: no real one signs what this says
    auto quote = Bytes(600, 0x51);
    const auto wanted = read_file(root / "user_report_data").value_or(Bytes());
    if (wanted.size() == 64) std::ranges::copy(wanted, quote.begin() + 368);
    const UniqueFd fd(::open((root / "quote").c_str(), O_WRONLY | O_CLOEXEC));
    (void)write_all(fd.get(), quote);
  });
  const auto refused = run_master();
  enclave.join();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("wanted: an SGX quote")));
  EXPECT_THAT(read_text_file(directory_.path() / "master" / "proxy.log").value_or(""), HasSubstr("SGX enclave"));
}

} // namespace
} // namespace tcfdl::test
