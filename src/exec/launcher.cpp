#include "exec/launcher.hpp"

#include "base/child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>

namespace tcfdl::exec {
namespace {

constexpr std::array<std::string_view, 5> kPassedOn{"TCFDL_FUNCTION", "TCFDL_CLUSTER", "TCFDL_NODE", "TCFDL_INSTANCE",
                                                    "TCFDL_CONCURRENCY"};
constexpr unsigned kCloseOnExec = 1U << 2U; // CLOSE_RANGE_CLOEXEC of linux/close_range.h

Error start_error(const std::string& program, int number) {
  const bool scarce = number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE;
  return make_error(scarce ? Code::kResourceExhausted : Code::kFailedPrecondition, "cannot run '{}': {}", program,
                    std::strerror(number));
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

/// A descriptor above the three standard ones.
UniqueFd above_standard(int fd) {
  UniqueFd owned(fd);
  return fd > STDERR_FILENO ? std::move(owned) : UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

/// Both descriptors are invalid, and errno says why, where there is none.
Pipe make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  return {above_standard(ends[0]), above_standard(ends[1])};
}

/// A descriptor that is readable once the process has ended. By number: glibc 2.36 declares it for C only.
UniqueFd open_process(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

void set_non_blocking(const UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// All that the new process needs, made before the fork.
struct Child {
  char* const* arguments;
  char* const* environment;
  int input;
  int output;
  int errors;
  int failure; ///< takes errno where the program cannot be executed
  pid_t parent;
};

bool prepare(const Child& child) noexcept {
  begin_child(child.parent);
  if (::setpgid(0, 0) != 0) return false;
  if (::dup2(child.input, STDIN_FILENO) < 0 || ::dup2(child.output, STDOUT_FILENO) < 0) return false;
  if (::dup2(child.errors, STDERR_FILENO) < 0) return false;
  return ::close_range(STDERR_FILENO + 1, ~0U, kCloseOnExec) == 0;
}

/// The new process from fork to exec: no lock, no memory.
[[noreturn]] void become(const Child& child) noexcept {
  if (prepare(child)) ::execvpe(child.arguments[0], child.arguments, child.environment);
  const int number = errno;
  (void)!::write(child.failure, &number, sizeof(number));
  ::_exit(127);
}

} // namespace

Environment program_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    if (!name.starts_with("TCFDL_") || std::ranges::find(kPassedOn, name) != kPassedOn.end()) {
      environment.emplace_back(text);
    }
  }
  return environment;
}

Launcher::Launcher() : thread_([this] { run(); }) { std::signal(SIGPIPE, SIG_IGN); }

Launcher::~Launcher() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Launcher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !forks_.empty(); });
    if (forks_.empty()) return;
    auto fork = std::move(forks_.front());
    forks_.pop_front();
    lock.unlock();
    fork();
    lock.lock();
  }
}

pid_t Launcher::fork_on_thread(std::packaged_task<pid_t()> fork) {
  auto pid = fork.get_future();
  {
    const std::scoped_lock lock(mutex_);
    forks_.push_back(std::move(fork));
  }
  wake_.notify_all();
  return pid.get();
}

Result<std::unique_ptr<Process>> Launcher::start(const Command& command, const Environment& environment) {
  if (command.empty()) return Error(Code::kInvalidArgument, "no program is named");
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  auto failure = make_pipe();
  for (const auto* pipe : {&input, &output, &errors, &failure}) {
    if (!pipe->read.valid() || !pipe->write.valid()) return start_error(command[0], errno);
  }
  for (const auto* end : {&input.write, &output.read, &errors.read}) set_non_blocking(*end);
  const auto arguments = pointers(command);
  const auto variables = pointers(environment);
  const Child child{arguments.data(),   variables.data(),    input.read.get(), output.write.get(),
                    errors.write.get(), failure.write.get(), ::getpid()};
  const pid_t pid = fork_on_thread(std::packaged_task<pid_t()>([&child] {
    const pid_t forked = ::fork();
    if (forked == 0) become(child);
    return forked < 0 ? -errno : forked;
  }));
  if (pid < 0) return start_error(command[0], -pid);
  UniqueFd exited = open_process(pid);
  const int no_pidfd = exited.valid() ? 0 : errno;
  for (auto* end : {&input.read, &output.write, &errors.write, &failure.write}) end->reset();
  auto process = std::make_unique<Process>(
      pid, std::move(exited), Process::Pipes{std::move(input.write), std::move(output.read), std::move(errors.read)});
  if (no_pidfd != 0) return start_error(command[0], no_pidfd);
  int number = 0;
  while (::read(failure.read.get(), &number, sizeof(number)) < 0 && errno == EINTR) {
  }
  if (number != 0) return start_error(command[0], number);
  return process;
}

} // namespace tcfdl::exec
