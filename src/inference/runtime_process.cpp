#include "inference/runtime_process.hpp"

#include "base/child.hpp"
#include "base/file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tcfdl::inference {
namespace {

constexpr std::string_view kProgram = "tcfdl-inference";
constexpr std::size_t kLargestAnswer = std::size_t{64} << 20U;

/// Freed memory goes back to the system at once, so that what is resident is what is used (mallopt(3)).
constexpr std::array<const char*, 2> kAllocator{"MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=65536"};

struct Streams {
  UniqueFd in;
  UniqueFd out;
  UniqueFd err;
};

Result<Streams> open_streams(const std::filesystem::path& directory, const std::string& request) {
  TCFDL_TRY(write_file(directory / "request", as_bytes(request)));
  Streams streams;
  streams.in.reset(::open((directory / "request").c_str(), O_RDONLY | O_CLOEXEC));
  streams.out.reset(::open((directory / "answer").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kPrivateFile));
  streams.err.reset(::open((directory / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kPrivateFile));
  if (streams.in.valid() && streams.out.valid() && streams.err.valid()) return streams;
  return errno_error("cannot open files in", directory);
}

std::vector<char*> environment_of_child() {
  std::vector<char*> environment;
  for (auto** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  for (const auto* entry : kAllocator) environment.push_back(const_cast<char*>(entry)); // NOLINT: as execve(2) wants it
  environment.push_back(nullptr);
  return environment;
}

/// Has the kernel end this process before others when memory runs out (proc(5)).
void end_first_without_memory() {
  const UniqueFd fd(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr std::string_view kFirst = "1000";
  if (fd.valid()) (void)!::write(fd.get(), kFirst.data(), kFirst.size());
}

/// Half of the machine's memory: no model gets more for its tensors, whatever shapes it asks for.
std::uint64_t most_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) / 2 *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

pid_t start_child(const std::filesystem::path& program, const Streams& streams) {
  auto name = program.string();
  const std::array<char*, 2> arguments{name.data(), nullptr};
  const auto environment = environment_of_child();
  const auto parent = ::getpid();
  const auto child = ::fork();
  if (child != 0) return child;
  begin_child(parent);
  end_first_without_memory();
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::dup2(streams.in.get(), STDIN_FILENO);
  ::dup2(streams.out.get(), STDOUT_FILENO);
  ::dup2(streams.err.get(), STDERR_FILENO);
  ::execve(name.c_str(), arguments.data(), environment.data());
  ::_exit(127);
}

/// The status of the child; it is killed where it takes too long, and then there is none.
std::optional<int> wait_for(pid_t child, std::chrono::milliseconds most) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd ended{.fd = handle.get(), .events = POLLIN, .revents = 0};
  const auto until = std::chrono::steady_clock::now() + most;
  int ready = -1;
  while (ready < 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    ready = ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno != EINTR) break;
  }
  if (ready <= 0) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ready <= 0) return std::nullopt;
  return status;
}

} // namespace

Result<RuntimeProcess> RuntimeProcess::beside_own() {
  std::error_code failure;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", failure);
  auto program = own.parent_path() / kProgram;
  if (!failure && ::access(program.c_str(), X_OK) == 0) return RuntimeProcess(std::move(program));
  return make_error(Code::kNotFound,
                    "there is no program {}, which runs models; build the target {}, or copy it beside {}",
                    program.string(), kProgram, own.filename().string());
}

Result<RuntimeAnswer> RuntimeProcess::run(const RuntimeRequest& request) const {
  const TemporaryDirectory directory;
  auto bounded = request;
  if (bounded.arena_limit == 0) bounded.arena_limit = most_memory();
  TCFDL_ASSIGN(const auto streams, open_streams(directory.path(), write_request(bounded)));
  const auto child = start_child(program_, streams);
  if (child < 0) return errno_error("cannot start", program_);
  const auto status = wait_for(child, most_);
  if (!status) {
    return make_error(Code::kDeadlineExceeded, "{}: ONNX Runtime did not finish within {} s and was ended",
                      request.model.string(), std::chrono::duration_cast<std::chrono::seconds>(most_).count());
  }
  if (WIFEXITED(*status) && WEXITSTATUS(*status) <= 1) {
    TCFDL_ASSIGN(const auto text, read_file(directory.path() / "answer", kLargestAnswer));
    if (!text.empty()) return parse_answer(text);
  }
  return make_error(Code::kInvalidArgument, "{}: {} {}, which the model caused or a lack of memory; it said: {}",
                    request.model.string(), kProgram, describe_exit(*status), file_tail(directory.path() / "log", 3));
}

} // namespace tcfdl::inference
