#include "node/host_process.hpp"

#include "base/child.hpp"
#include "base/file.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <set>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace tcfdl::node {
namespace {

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

/// The daemon's environment with what the order sets.
std::vector<std::string> merged_environment(const std::vector<std::string>& set) {
  std::set<std::string_view> names;
  for (const auto& variable : set) names.insert(name_of(variable));
  auto merged = set;
  for (char* const* variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (!names.contains(name_of(*variable))) merged.emplace_back(*variable);
  }
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// What happens between fork and exec: calls that are safe there, and nothing else.
[[noreturn]] void become(const ProcessOrder& order, int log, pid_t parent, char* const* arguments,
                         char* const* environment) {
  begin_child(parent);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (order.prepare) order.prepare();
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

} // namespace

Result<HostProcess> start_process(const ProcessOrder& order) {
  const auto log = order.log.empty() ? std::filesystem::path("/dev/null") : order.log;
  const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  if (!output.valid()) return errno_error("cannot write", log);
  auto command = order.command;
  auto environment = merged_environment(order.environment);
  const auto arguments = pointers(command);
  const auto variables = pointers(environment);
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid < 0) return errno_error("cannot start", order.command.front());
  if (pid == 0) become(order, output.get(), parent, arguments.data(), variables.data());
  HostProcess process{pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
  if (process.exited.valid()) return process;
  auto failure = errno_error("cannot watch", order.command.front());
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return failure;
}

bool await_end(const HostProcess& process, Deadline deadline) {
  for (;;) {
    pollfd entry{process.exited.get(), POLLIN, 0};
    const auto left = std::min<std::int64_t>(deadline.left_millis(), 1 << 30);
    if (::poll(&entry, 1, static_cast<int>(left)) > 0) return true;
    if (deadline.expired()) return false;
  }
}

int end_process(const HostProcess& process, std::chrono::milliseconds grace) {
  ::kill(process.pid, SIGTERM);
  if (!await_end(process, Deadline::after(grace))) ::kill(process.pid, SIGKILL);
  int status = 0;
  while (::waitpid(process.pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

} // namespace tcfdl::node
