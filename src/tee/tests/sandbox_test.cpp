#include "base/encoding.hpp"
#include "base/file.hpp"
#include "tee/landlock.hpp"
#include "tee/launch.hpp"
#include "tee/stage.hpp"
#include "wire/confidential.hpp"

#include <csignal>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>

namespace tcfdl::tee {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Sandbox& sandbox() {
  static const auto kFound = Sandbox::probe("/proc/self/exe");
  return kFound;
}

/// A bundle whose program tries things in the sandbox. Skipped where the machine cannot make one.
class SandboxTest : public testing::Test {
protected:
  void SetUp() override {
    if (const auto whole = sandbox().require(default_layers()); !whole) GTEST_SKIP() << whole.error().message();
    ASSERT_EQ(::chmod(root_.path().c_str(), 0700), 0);
    bundle_ = root_.path() / "state" / "bundle";
    std::filesystem::create_directories(bundle_);
    ::chmod(bundle_.c_str(), 0755);
    run_ = root_.path() / "s";
    std::filesystem::create_directory(run_);
    ::chmod(run_.c_str(), 0755);
    ASSERT_TRUE(write_file(root_.path() / "state" / "secret", as_bytes("of the node"), 0644));
    settings_.name = "echo-1";
    settings_.log = root_.path() / "log";
    settings_.environment["TCFDL_RUN_DIR"] = run_.string();
  }

  Result<Launched> start(std::vector<std::string> arguments, const std::string& program = TCFDL_ATTACKER) {
    TCFDL_ASSIGN(const auto content, read_file(program));
    TCFDL_TRY(write_file(bundle_ / "program", content, 0755));
    wire::Manifest manifest;
    manifest.command = {"program"};
    manifest.command.insert(manifest.command.end(), arguments.begin(), arguments.end());
    manifest.files = {{"program", to_hex(crypto::sha256(content)), content.size(), true}};
    manifest.files.insert(manifest.files.end(), more_.begin(), more_.end());
    TCFDL_ASSIGN(const auto measured, measure_bundle(wire::write_manifest(manifest), bundle_));
    return launch(measured, settings_, in_);
  }

  /// Adds a file that is said to hold that many bytes once it is open.
  void add_confidential(const std::string& path, std::uint64_t size) {
    const Bytes content(wire::encrypted_size(size), 'c');
    std::filesystem::create_directories((bundle_ / path).parent_path());
    ::chmod((bundle_ / path).parent_path().c_str(), 0755);
    ASSERT_TRUE(write_file(bundle_ / path, content, 0644));
    more_.push_back(
        {path, to_hex(crypto::sha256(content)), content.size(), false, wire::Plaintext{std::string(64, 'a'), size}});
  }

  /// The program's output, once it has ended.
  std::string run(std::vector<std::string> arguments, const std::string& program = TCFDL_ATTACKER) {
    std::error_code absent;
    std::filesystem::remove(settings_.log, absent);
    const auto started = start(std::move(arguments), program);
    if (!started) return started.error().to_string();
    status_ = 0;
    ::waitpid(started->pid, &status_, 0);
    kills_ = started->control ? started->control->kills() : 0;
    end(*started);
    return read_text_file(settings_.log).value_or("");
  }

  /// How many processes of this machine see a directory mounted.
  static std::size_t processes_of(const std::filesystem::path& directory) {
    std::size_t count = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
      const auto mounts = read_text_file(entry.path() / "mountinfo").value_or("");
      if (mounts.find(directory.string()) != std::string::npos) ++count;
    }
    return count;
  }

  static void end(const Launched& launched) {
    ::kill(-launched.group, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }

  TemporaryDirectory root_;
  std::filesystem::path bundle_;
  std::filesystem::path run_;
  Sandbox in_ = sandbox();
  std::vector<wire::ManifestFile> more_; ///< files of the bundle beside the program
  LaunchSettings settings_;
  int status_ = 0;
  std::uint64_t kills_ = 0;
};

TEST_F(SandboxTest, AttacksEndTheProcess) {
  for (const auto* attack :
       {"ptrace", "process_vm_readv=1", "mount", "umount=/usr", "keyctl", "bpf", "kexec", "perf", "setns"}) {
    EXPECT_EQ(run({attack}), fmt::format("{}: signal {}\n", attack, SIGSYS));
  }
}

TEST_F(SandboxTest, OtherForbiddenCallsFail) {
  for (const auto* attempt : {"unshare_user", "clone_user", "packet_socket"}) {
    EXPECT_THAT(run({attempt}), StartsWith(fmt::format("{}: errno {}", attempt, EPERM)));
  }
  for (const auto* attempt : {"clone3", "new_call"}) {
    EXPECT_THAT(run({attempt}), StartsWith(fmt::format("{}: errno {}", attempt, ENOSYS)));
  }
  EXPECT_EQ(run({"inet_socket"}), "inet_socket: done\n");
}

TEST_F(SandboxTest, NothingOfTheNodeOrTheHostIsThere) {
  for (const auto& path :
       {(root_.path() / "state" / "secret").string(), root_.path().string() + "/state", std::string("/etc/shadow"),
        std::string("/etc/resolv.conf"), std::string("/root"), std::string("/home"), std::string("/var/lib"),
        std::string("/sys/fs/cgroup"), std::string("/dev/mem"), std::string("/dev/tty")}) {
    EXPECT_THAT(run({"read=" + path}), HasSubstr(": errno")) << path;
  }
}

TEST_F(SandboxTest, OnlyTheScratchDirectoriesAreWritable) {
  for (const auto* path :
       {"/usr/x", "/bundle/x", "/bundle/program", "/x", "/etc/x", "/dev/x", "/proc/sys/kernel/hostname"}) {
    EXPECT_THAT(run({std::string("write=") + path}), HasSubstr(": errno")) << path;
  }
  EXPECT_THAT(run({"write=" + run_.string() + "/x"}), HasSubstr(": errno"));
  for (const auto* path : {"/tmp/tcfdl-scratch-test", "/dev/shm/x", "/dev/null"}) {
    EXPECT_THAT(run({std::string("write=") + path}), HasSubstr(": done")) << path;
  }
  EXPECT_THAT(run({"execute=/tmp/tcfdl-scratch-test"}), HasSubstr(fmt::format(": errno {}", EACCES)));
  EXPECT_FALSE(std::filesystem::exists("/tmp/tcfdl-scratch-test"));
}

TEST_F(SandboxTest, ConfidentialFilesOpenIntoMemoryInThePlaceOfTheEncryptedOnes) {
  add_confidential("models/plates.onnx", 6);
  add_confidential("key", 100'000);
  EXPECT_EQ(run({"open_confidential=models/plates.onnx", "open_confidential=key"}),
            "open_confidential=models/plates.onnx: done\nopen_confidential=key: done\n");
  EXPECT_EQ(read_file(bundle_ / "key").value(), Bytes(wire::encrypted_size(100'000), 'c')) << "what the host has";
  EXPECT_THAT(run({"write=/bundle/key"}), HasSubstr(": errno")) << "where functions look it is read-only";
  EXPECT_THAT(run({"write=/sealed/key"}), HasSubstr(": errno"));
  EXPECT_THAT(run({"read=/sealed/models/plates.onnx"}), HasSubstr(": done"));
  EXPECT_THAT(run({"fill=/confidential/key"}), HasSubstr(fmt::format(": errno {}", ENOSPC)));
  EXPECT_THAT(run({"execute=/confidential/key"}), HasSubstr(fmt::format(": errno {}", EACCES)));
}

TEST_F(SandboxTest, ConfidentialFilesFitIntoTheMemoryLimit) {
  add_confidential("model", 2'000'000);
  settings_.limits.memory = 1 << 20U;
  const auto started = start({"nothing"});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(started.error().message(), HasSubstr("raise resources.memory"));
}

TEST_F(SandboxTest, WithoutNamespacesThereIsNoPlaceForConfidentialFiles) {
  add_confidential("model", 6);
  in_ = Sandbox::none();
  const auto bare = start({"nothing"});
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(bare.error().message(), HasSubstr("layer 'namespaces'"));
}

TEST_F(SandboxTest, OtherProcessesAreNotSeenAndNotReached) {
  EXPECT_THAT(run({"read=/proc/1/environ"}), HasSubstr(": errno"));
  EXPECT_THAT(run({"read=/proc/1/mem"}), HasSubstr(": errno"));
  EXPECT_THAT(run({"read=/proc/1/root/etc/shadow"}), HasSubstr(": errno"));
  EXPECT_THAT(run({fmt::format("read=/proc/{}/status", ::getpid())}), HasSubstr(fmt::format(": errno {}", ENOENT)));
  EXPECT_THAT(run({fmt::format("kill={}", ::getpid())}), HasSubstr(fmt::format(": errno {}", ESRCH)));
}

TEST_F(SandboxTest, AbstractSocketsOfTheHostAreOutOfReach) {
  if (landlock_abi() < 6) GTEST_SKIP() << "the kernel's Landlock knows nothing of abstract sockets";
  const auto name = fmt::format("tcfdl-test-{}", ::getpid());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(name, address.sun_path + 1);
  const auto size = static_cast<socklen_t>(sizeof(sa_family_t) + 1 + name.size());
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  EXPECT_THAT(run({"abstract=" + name}), HasSubstr(fmt::format(": errno {}", EPERM)));
}

TEST_F(SandboxTest, TheProgramHasNoPrivileges) {
  for (const auto* claim : {"is_not_root", "has_no_capability", "has_no_core", "gains_nothing"}) {
    EXPECT_EQ(run({claim}), fmt::format("{}: done\n", claim));
  }
}

TEST_F(SandboxTest, OnTheMachineItIsAUserOfItsOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root starts instances as other users";
  const auto started = start({"60"}, "/bin/sleep");
  ASSERT_TRUE(started) << started.error().to_string();
  struct stat info{};
  ASSERT_EQ(::stat(fmt::format("/proc/{}", started->pid).c_str(), &info), 0);
  EXPECT_GE(info.st_uid, 1'000'000'000U);
  EXPECT_EQ(::stat(started->own_directory.c_str(), &info), 0);
  EXPECT_GE(info.st_uid, 1'000'000'000U);
  end(*started);
}

TEST_F(SandboxTest, TheProgramFindsWhatItNeeds) {
  settings_.environment["GIVEN"] = "yes";
  EXPECT_EQ(run({"-c", "pwd; id -u; echo $GIVEN $HOME $LD_LIBRARY_PATH; ls /bundle; echo $TCFDL_RUN_DIR"}, "/bin/sh"),
            fmt::format("/bundle\n1000\nyes /tmp /bundle/lib\nprogram\n{}\n",
                        (run_ / to_hex(crypto::sha256(as_bytes(std::string_view("echo-1")))).substr(0, 8)).string()));
  EXPECT_EQ(run({"-c", "python3 -c 'import socket,ssl,json,threading; print(6*7)'"}, "/bin/sh"), "42\n");
}

TEST_F(SandboxTest, WhatRunsIsWhatWasMeasured) {
  const auto content = read_file(TCFDL_ATTACKER).value();
  ASSERT_TRUE(write_file(bundle_ / "program", content, 0755));
  wire::Manifest manifest;
  manifest.command = {"program", "nothing"};
  manifest.files = {{"program", to_hex(crypto::sha256(content)), content.size(), true}};
  const auto measured = measure_bundle(wire::write_manifest(manifest), bundle_);
  ASSERT_TRUE(measured);
  ASSERT_TRUE(write_file(bundle_ / "program", read_file("/bin/false").value(), 0755));
  const auto launched = launch(*measured, settings_, sandbox());
  ASSERT_TRUE(launched) << launched.error().to_string();
  int status = -1;
  ::waitpid(launched->pid, &status, 0);
  end(*launched);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text_file(settings_.log).value_or(""), "nothing: done\n");
}

TEST_F(SandboxTest, MemoryAboveTheLimitEndsItAndIsTold) {
#ifdef __SANITIZE_ADDRESS__
  if (sandbox().groups().version(Controller::kMem) == 0)
    GTEST_SKIP() << "the sanitizer's own memory counts as data of the program";
#endif
  settings_.limits.memory = std::uint64_t{64} << 20U; // the program's libraries and its start count as well
  EXPECT_EQ(run({"eat=8"}), "eat=8: done\n");
  EXPECT_EQ(kills_, 0U);
  const auto said = run({"eat=128"});
  if (sandbox().groups().version(Controller::kMem) == 0) {
    EXPECT_THAT(said, HasSubstr(fmt::format("errno {}", ENOMEM)));
  } else {
    EXPECT_EQ(said, fmt::format("eat=128: signal {}\n", SIGKILL));
    EXPECT_EQ(kills_, 1U);
  }
}

TEST_F(SandboxTest, ItHasNoMoreProcessesThanItsLimit) {
  if (sandbox().groups().version(Controller::kPids) == 0) GTEST_SKIP() << "no control groups with pids here";
  settings_.limits.processes = 20;
  const auto said = run({"-c", "i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i+1)); done; echo all"}, "/bin/sh");
  EXPECT_THAT(said, HasSubstr("annot fork"));
  EXPECT_THAT(said, testing::Not(HasSubstr("all")));
}

/// The kernel counts the tenths of a second in which it had used what it may.
TEST_F(SandboxTest, ItUsesNoMoreOfAProcessorThanItsLimit) {
  if (sandbox().groups().version(Controller::kCpu) == 0) GTEST_SKIP() << "no control groups with cpu here";
  settings_.limits.most_millicores = 100;
  const auto started = start({"-c", "while :; do :; done"}, "/bin/sh");
  ASSERT_TRUE(started) << started.error().to_string();
  const auto throttled = [&] {
    for (const auto& path : started->control->paths()) {
      std::ifstream file(path / "cpu.stat");
      std::string name;
      for (std::uint64_t value = 0; file >> name >> value;) {
        if (name == "nr_throttled") return value;
      }
    }
    return std::uint64_t{0};
  };
  const auto limit = Deadline::after(std::chrono::seconds(20));
  while (throttled() < 3 && !limit.expired()) std::this_thread::yield();
  EXPECT_GE(throttled(), 3U);
  end(*started);
}

TEST_F(SandboxTest, EverythingItStartedDiesWithItsGroup) {
  const auto started = start({"-c", "setsid sleep 60 & echo up; wait"}, "/bin/sh");
  ASSERT_TRUE(started) << started.error().to_string();
  while (read_text_file(settings_.log).value_or("") != "up\n") std::this_thread::yield();
  ::kill(-started->group, SIGKILL);
  EXPECT_EQ(::waitpid(started->pid, &status_, 0), started->pid);
  EXPECT_TRUE(WIFSIGNALED(status_));
  end(*started);
  // The process that had left the group was in the namespace, whose first process is gone.
  EXPECT_EQ(processes_of(started->own_directory), 0U);
}

TEST_F(SandboxTest, ItDiesWithTheThreadThatStartedIt) {
  pid_t pid = -1;
  std::thread([&] { pid = start({"60"}, "/bin/sleep").value_or(Launched{}).pid; }).join();
  ASSERT_GT(pid, 0);
  EXPECT_EQ(::waitpid(pid, &status_, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status_));
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

TEST(Sandbox, RefusesWhenARequiredLayerIsMissing) {
  EXPECT_TRUE(Sandbox::none().require({}));
  wire::LaunchPlan plan;
  plan.set_probe(true);
  plan.set_filter("no filter at all");
  EXPECT_FALSE(try_plan(plan, "/proc/self/exe"));
  const auto lacking = Sandbox::probe("/bin/false");
  ASSERT_FALSE(lacking.missing().empty());
  const auto refused = lacking.require(default_layers());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message(), HasSubstr("namespaces"));
  EXPECT_THAT(refused.error().message(), HasSubstr("software_tee"));
}

/// All tests of the sandbox once more, as a user who has to make a user namespace first.
TEST(Sandbox, HoldsForAnOrdinaryUserToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "the other tests ran as one";
  constexpr uid_t kNobody = 65534;
  constexpr int kOutOfReach = 77;
  const auto child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
    if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
    if (::access(TCFDL_ATTACKER, R_OK) != 0) ::_exit(kOutOfReach);
    ::unsetenv("GTEST_OUTPUT");
    ::execl("/proc/self/exe", "tee_test", "--gtest_filter=SandboxTest.*", nullptr);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfReach) GTEST_SKIP() << "others cannot read the build directory";
  EXPECT_EQ(status, 0) << "the output above is of the tests as an ordinary user";
}

TEST(Sandbox, KnowsItsLayersByName) {
  EXPECT_EQ(parse_layers("seccomp,landlock").value(), (std::set<std::string>{"landlock", "seccomp"}));
  EXPECT_TRUE(parse_layers("").value().empty());
  EXPECT_EQ(parse_layers("seccomp,apparmor").error().code(), Code::kInvalidArgument);
}

TEST(StageReport, KeepsPidAndError) {
  EXPECT_EQ(parse_stage_report("pid 42\n").pid, 42);
  const auto failed = parse_stage_report("pid 42\nerror 9 cannot mount: no\n");
  EXPECT_EQ(failed.error->code(), Code::kFailedPrecondition);
  EXPECT_EQ(failed.error->message(), "cannot mount: no");
}

} // namespace
} // namespace tcfdl::tee
