// A deployed function that tries to break out of the software TEE, and one that wants more memory than it may have.
#include "support/platform.hpp"

#include <csignal>
#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Functions of `tcfdl-exec once` whose program is a shell that runs each task's body as a script, beside the attacker
/// of the unit tests.
class SandboxE2e : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(platform_.up(), ""); }

  Finished deploy(const std::string& name, const std::string& more = {}) {
    const auto file = platform_.root() / (name + ".yaml");
    const auto yaml = fmt::format("name: {}\ncommand: [tcfdl-exec, once, --, /bin/sh]\nfiles: [{{source: {}, path: "
                                  "bin/attacker}}]\n{}",
                                  name, Platform::binary("tests/tee_attacker"), more);
    (void)write_file(file, as_bytes(yaml));
    return platform_.tcfdl({"function", "deploy", file.string()});
  }

  /// What a script says within the function.
  std::string within(const std::string& script, const std::string& function = "shell") {
    const auto invoked = platform_.invoke(function, script + "\nexit 0\n");
    return invoked.exit_code == 0 ? invoked.out : invoked.err;
  }

  Platform platform_;
};

TEST_F(SandboxE2e, ADeployedFunctionReachesNothingButItsOwn) {
  ASSERT_EQ(deploy("shell").exit_code, 0);
  const auto other = platform_.deploy("echo", "examples-echo");
  ASSERT_EQ(other.exit_code, 0) << other.err;

  EXPECT_EQ(within("echo hello; pwd; id -u"), "hello\n/bundle\n1000\n");
  const auto state = platform_.state().string();
  EXPECT_THAT(within("ls " + state + " 2>&1"), HasSubstr("No such file"));
  EXPECT_THAT(within(fmt::format("cat {}/nodes/worker-1/proxy/proxy.keys 2>&1 | head -c 100", state)),
              HasSubstr("No such file"));
  EXPECT_THAT(within("cat /etc/shadow 2>&1; ls /root /home 2>&1"), Not(HasSubstr("root:")));
  EXPECT_THAT(within("echo x 2>&1 > /bundle/x; echo x 2>&1 > /usr/x; echo kept > /tmp/tcfdl-scratch-e2e; cat "
                     "/tmp/tcfdl-scratch-e2e; ls /bundle"),
              AllOf(HasSubstr("kept\n"), HasSubstr("bin\n"), Not(HasSubstr("x\nx"))));
  EXPECT_FALSE(std::filesystem::exists("/tmp/tcfdl-scratch-e2e"));
  // Processes: its own namespace, whose first process keeps its secrets to itself.
  EXPECT_THAT(within("ls /proc | grep -c '^[0-9]'"), Not(HasSubstr("\n\n")));
  EXPECT_THAT(within("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null; done"),
              AllOf(HasSubstr("tcfdl-exec"), Not(HasSubstr("examples-echo")), Not(HasSubstr("nats-server"))));
  EXPECT_THAT(within("cat /proc/1/environ 2>&1"), HasSubstr("denied"));
  EXPECT_THAT(within("cat /proc/2/environ 2>&1"), HasSubstr("denied")) << "tokens of tcfdl-exec";
  const auto victim = platform_.instances("bin/examples-echo");
  ASSERT_FALSE(victim.empty());
  const auto attacks = within(fmt::format("bin/attacker ptrace process_vm_readv={0} mount keyctl bpf setns "
                                          "read=/proc/{0}/mem kill={0} unshare_user nothing",
                                          victim.front()));
  for (const auto* attack : {"ptrace", "process_vm_readv", "mount", "keyctl", "bpf", "setns"}) {
    EXPECT_THAT(attacks, testing::ContainsRegex(fmt::format("{}[^\n]*: signal 31\n", attack)));
  }
  EXPECT_THAT(attacks, testing::ContainsRegex("read=[^\n]*: errno 2 "));
  EXPECT_THAT(attacks, testing::ContainsRegex("kill=[^\n]*: errno 3 "));
  EXPECT_THAT(attacks, HasSubstr("unshare_user: errno 1 "));
  EXPECT_THAT(attacks, HasSubstr("nothing: done"));
  EXPECT_EQ(platform_.invoke("echo", "unharmed").out, "unharmed");
}

TEST_F(SandboxE2e, WhatAFunctionUsesIsBoundedAndCounted) {
  const auto layers = platform_.json({"status"})["nodes"].dump();
  if (layers.find("processes/cgroup") == std::string::npos) GTEST_SKIP() << "no control groups with pids here";
  ASSERT_EQ(deploy("shell", "resources: {memory: 256MiB, processes: 40, most_millicores: 1000}\n").exit_code, 0);
  EXPECT_THAT(within("i=0; while [ $i -lt 80 ]; do sleep 9 & i=$((i+1)); done; echo all"), HasSubstr("annot fork"));
  const auto uses = [&] {
    const auto instance = platform_.json({"function", "show", "shell"})["instances"].at(0);
    return instance["memory"] > 0 && instance["processes"] > 0 && instance["cpu_ms"] > 0;
  };
  EXPECT_TRUE(eventually(uses));
  EXPECT_THAT(platform_.tcfdl({"function", "show", "shell"}).out, HasSubstr("s of processor"));
}

TEST_F(SandboxE2e, TheStatusNamesTheLayers) {
  const auto status = platform_.json({"status"});
  ASSERT_TRUE(status.is_object());
  for (const auto& node : status["nodes"]) {
    const auto layers = node["layers"].dump();
    EXPECT_THAT(layers,
                AllOf(HasSubstr("namespaces/"), HasSubstr("seccomp"), HasSubstr("landlock/"), HasSubstr("memory/")));
  }
}

TEST_F(SandboxE2e, MemoryOverTheLimitIsSaidAndThePlatformRecovers) {
  ASSERT_EQ(deploy("shell", "resources: {memory: 96MiB}\n").exit_code, 0);
  EXPECT_THAT(within("bin/attacker eat=16"), HasSubstr("eat=16: done"));
  // A program that the kernel ends is the task's own failure; its instance goes on.
  const auto over = platform_.invoke("shell", "exec python3 -c 'b = bytearray(300 << 20)'\n");
  EXPECT_NE(over.exit_code, 0);
  EXPECT_THAT(over.err,
              testing::AnyOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("instance lost"), HasSubstr("MemoryError")));
  EXPECT_TRUE(eventually([&] { return platform_.invoke("shell", "echo again\n").out == "again\n"; }));
}

TEST_F(SandboxE2e, AnInstanceOverItsLimitIsToldInTheStatus) {
  const auto deployed = platform_.deploy("echo", "examples-echo", "resources: {memory: 64MiB}\nmax_body: 512MiB\n");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto over = platform_.invoke("echo", std::string(std::size_t{200} << 20U, 'x'));
  EXPECT_NE(over.exit_code, 0);
  EXPECT_THAT(over.err, HasSubstr("instance lost")) << over.err;
  EXPECT_TRUE(eventually([&] { return platform_.invoke("echo", "again").out == "again"; }));
  EXPECT_THAT(platform_.json({"status"})["instances"].dump(), HasSubstr("over its memory limit of 64 MiB"));
}

TEST_F(SandboxE2e, InstancesDieWithTheirProxy) {
  const auto deployed = platform_.deploy("echo", "examples-echo");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto before = platform_.instances("bin/examples-echo");
  ASSERT_FALSE(before.empty());
  for (const auto pid : platform_.pids("tcfdl-proxy", platform_.state().string())) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !is_alive(before.front()); }));
  EXPECT_TRUE(eventually([&] { return platform_.invoke("echo", "again").out == "again"; }));
}

TEST(SandboxConfiguration, ANodeThatLacksARequiredLayerSaysSoAndDoesNotStart) {
  Platform platform("clusters: [{name: local}]\nsoftware_tee: {require: [seccomp, apparmor]}\n");
  EXPECT_THAT(platform.up(), HasSubstr("apparmor"));
}

} // namespace
} // namespace tcfdl::test
