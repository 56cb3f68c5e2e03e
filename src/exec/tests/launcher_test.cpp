#include "exec/launcher.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <set>
#include <sys/syscall.h>

namespace tcfdl::exec {
namespace {

using testing::HasSubstr;
using testing::Not;

Interrupt patience() { return {{}, Deadline::after(std::chrono::seconds(60))}; }

/// Reads stdout to its end.
std::string output_of(const Process& process) {
  const auto interrupt = patience();
  std::string text;
  for (;;) {
    std::array<pollfd, 1> entry{{{process.output(), POLLIN, 0}}};
    if (!interrupt.wait(entry)) return text + " (no end)";
    std::array<char, 4096> piece{};
    const auto got = ::read(process.output(), piece.data(), piece.size());
    if (got == 0) return text;
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

Exit wait_for(Process& process) {
  std::array<pollfd, 1> entry{{{process.exited(), POLLIN, 0}}};
  EXPECT_TRUE(patience().wait(entry).has_value());
  return process.end();
}

std::string shell(Launcher& launcher, const std::string& script) {
  const auto process = launcher.start({"sh", "-c", script}, program_environment());
  return process ? output_of(**process) : process.error().to_string();
}

TEST(Launcher, NamesAProgramThatIsMissing) {
  Launcher launcher;
  const auto process = launcher.start({"/nonexistent/program"}, {});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(process.error().message(), HasSubstr("/nonexistent/program': No such file"));
}

TEST(Launcher, GivesNoDescriptorsBesidesTheThreePipes) {
  Launcher launcher;
  const UniqueFd inheritable(::open("/dev/null", O_RDONLY)); // NOLINT(android-cloexec-open): inheritable is the point
  ASSERT_GT(inheritable.get(), 2);
  const auto process = launcher.start({"sh", "-c", "echo ready; read line"}, program_environment());
  ASSERT_TRUE(process) << process.error().to_string();
  std::array<pollfd, 1> entry{{{(*process)->output(), POLLIN, 0}}};
  ASSERT_TRUE(patience().wait(entry).has_value());
  std::set<std::string> open;
  for (const auto& fd : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", (*process)->pid()))) {
    open.insert(fd.path().filename().string());
  }
  EXPECT_EQ(open, (std::set<std::string>{"0", "1", "2"}));
}

TEST(Launcher, KeepsAddressesAndTokensFromPrograms) {
  ::setenv("TCFDL_PROXY", "unix:/secret", 1);
  ::setenv("TCFDL_TASKS_TOKEN", "secret", 1);
  ::setenv("TCFDL_FUNCTION", "text/upper", 1);
  Launcher launcher;
  const auto variables = shell(launcher, "env");
  EXPECT_THAT(variables, Not(HasSubstr("secret")));
  EXPECT_THAT(variables, HasSubstr("TCFDL_FUNCTION=text/upper\n"));
  EXPECT_THAT(variables, HasSubstr("PATH="));
  for (const auto* name : {"TCFDL_PROXY", "TCFDL_TASKS_TOKEN", "TCFDL_FUNCTION"}) ::unsetenv(name);
}

/// Ignores every signal but that of ended children while it lives, those included that glibc keeps to itself.
class IgnoredSignals {
public:
  IgnoredSignals() {
    const Action ignore{reinterpret_cast<unsigned long>(SIG_IGN)};
    for (int number = 1; number < NSIG; ++number) {
      if (number != SIGCHLD) set(number, ignore.data(), before_.at(number).data());
    }
  }
  ~IgnoredSignals() {
    for (int number = 1; number < NSIG; ++number) {
      if (number != SIGCHLD) set(number, before_.at(number).data(), nullptr);
    }
  }
  IgnoredSignals(const IgnoredSignals&) = delete;
  IgnoredSignals& operator=(const IgnoredSignals&) = delete;

private:
  using Action = std::array<unsigned long, 4>;

  static void set(int number, const unsigned long* action, unsigned long* before) {
    ::syscall(SYS_rt_sigaction, number, action, before, sizeof(unsigned long));
  }

  std::array<Action, NSIG> before_{};
};

TEST(Launcher, GivesProgramsDefaultSignalsWhateverItInherited) {
  const IgnoredSignals inherited;
  Launcher launcher;
  const auto signals = shell(launcher, "grep SigIgn /proc/self/status");
  EXPECT_THAT(signals, HasSubstr("0000000000000000"));
}

TEST(Launcher, ProgramsDieWithItsThread) {
  std::unique_ptr<Process> process;
  {
    Launcher launcher;
    auto started = launcher.start({"sleep", "1000"}, program_environment());
    ASSERT_TRUE(started) << started.error().to_string();
    process = *std::move(started);
  }
  EXPECT_EQ(wait_for(*process).signal, SIGKILL);
}

TEST(Process, EndKillsTheWholeGroup) {
  Launcher launcher;
  auto process = launcher.start({"sh", "-c", "sleep 1000 & echo $!; wait"}, program_environment());
  ASSERT_TRUE(process) << process.error().to_string();
  std::array<pollfd, 1> entry{{{(*process)->output(), POLLIN, 0}}};
  ASSERT_TRUE(patience().wait(entry).has_value());
  EXPECT_EQ((*process)->end().describe(), "signal 9 (Killed)");
  // Only the child held the other end of the pipe any more: its end is the child's end.
  EXPECT_THAT(output_of(**process), Not(HasSubstr("no end")));
}

TEST(Process, KeepsTheEndOfStderrOnly) {
  Launcher launcher;
  auto process =
      launcher.start({"sh", "-c", "seq 1 5000 >&2; printf 'the \\033 end\\n' >&2; exit 3"}, program_environment());
  ASSERT_TRUE(process) << process.error().to_string();
  EXPECT_EQ(wait_for(**process).describe(), "exit code 3");
  const auto words = (*process)->last_words();
  EXPECT_THAT(words, testing::EndsWith("\n5000\nthe ? end"));
  EXPECT_LE(words.size(), LastWords::kKept);
  EXPECT_GT(words.size(), LastWords::kKept - 8);
}

} // namespace
} // namespace tcfdl::exec
