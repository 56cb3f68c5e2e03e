#include "cli/daemon.hpp"

#include "base/child.hpp"
#include "base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/wait.h>
#include <thread>

namespace tcfdl::cli {
namespace {

constexpr std::chrono::milliseconds kShortest{500};
constexpr std::chrono::milliseconds kLongest{30'000};
constexpr std::chrono::milliseconds kLongLife{60'000};

/// Becomes the daemon. Only calls that are safe after fork; returns when it fails.
void become(const char* program, char* const* arguments, int log, int null, pid_t parent) {
  ::setsid();
  begin_child(parent, SIGTERM);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(program, arguments);
}

} // namespace

std::optional<ProcessId> find_process(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The second field is a name in parentheses, which may hold anything; the state follows, the start is the 22nd.
  const auto close = text.rfind(')');
  if (close == std::string::npos || close + 2 >= text.size() || text[close + 2] == 'Z') return std::nullopt;
  auto at = close + 2;
  for (int field = 3; field < 22; ++field) {
    at = text.find(' ', at);
    if (at == std::string::npos) return std::nullopt;
    ++at;
  }
  ProcessId found{.pid = pid, .started = 0};
  std::from_chars(text.data() + at, text.data() + text.size(), found.started);
  return found;
}

void end_processes(const std::vector<ProcessId>& processes, std::chrono::milliseconds patience) {
  const auto is_there = [](const ProcessId& process) { return find_process(process.pid) == process; };
  const auto tell = [&](int number) {
    for (const auto& process : processes) {
      if (is_there(process)) ::kill(process.pid, number);
    }
  };
  const auto wait = [&](std::chrono::milliseconds within) {
    const auto end = std::chrono::steady_clock::now() + within;
    while (std::ranges::any_of(processes, is_there) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  };
  tell(SIGTERM);
  wait(patience);
  tell(SIGKILL);
  wait(std::chrono::seconds(5));
}

std::chrono::milliseconds Backoff::next(std::chrono::milliseconds lived) {
  if (lived >= kLongLife) wait_ = kShortest;
  const auto now = wait_;
  wait_ = std::min(wait_ * 2, kLongest);
  return now;
}

Status Daemon::start(const std::filesystem::path& program) {
  ::unlink(spec_.ready.c_str());
  const UniqueFd log(::open(spec_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  if (!log.valid()) return errno_error("cannot open", spec_.log);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid()) return errno_error("cannot open", "/dev/null");
  auto words = spec_.arguments;
  words.insert(words.begin(), "tcfdl");
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid < 0) return errno_error("cannot start", spec_.name);
  if (pid == 0) {
    become(program.c_str(), arguments.data(), log.get(), null.get(), parent);
    ::_exit(127);
  }
  process_ = find_process(pid).value_or(ProcessId{.pid = pid, .started = 0});
  started_ = std::chrono::steady_clock::now();
  return {};
}

std::chrono::milliseconds Daemon::age() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
}

std::optional<std::string> Daemon::ended() {
  if (!running()) return "was not started";
  int status = 0;
  const auto got = ::waitpid(process_.pid, &status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return std::nullopt;
  process_ = {};
  return got < 0 ? "ended in an unknown way" : describe_exit(status);
}

void Daemon::signal(int number) const {
  if (running()) ::kill(process_.pid, number);
}

} // namespace tcfdl::cli
