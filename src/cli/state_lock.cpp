#include "cli/state_lock.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>

namespace tcfdl::cli {
namespace {

/// Whether the descriptor is still the file of that name: its holder may have deleted it.
bool is_current(int fd, const std::filesystem::path& file) {
  struct stat held{};
  struct stat named{};
  return ::fstat(fd, &held) == 0 && ::stat(file.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

std::optional<pid_t> read_pid(int fd) {
  std::array<char, 32> text{};
  const auto got = ::pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (got <= 0) return std::nullopt;
  const auto parsed = std::from_chars(text.data(), text.data() + got, pid);
  return parsed.ec == std::errc() && pid > 0 ? std::optional(pid) : std::nullopt;
}

/// Who locks writes its pid at once, so an empty file is one for a moment only.
pid_t wait_for_pid(int fd) {
  for (int i = 0; i < 100; ++i) {
    if (const auto pid = read_pid(fd)) return *pid;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return 0;
}

Status write_pid(int fd, const std::filesystem::path& file) {
  if (::ftruncate(fd, 0) != 0 || ::lseek(fd, 0, SEEK_SET) != 0) return errno_error("cannot write", file);
  return write_all(fd, as_bytes(fmt::format("{}\n", ::getpid())));
}

} // namespace

Result<StateLock> StateLock::acquire(const std::filesystem::path& file) {
  for (;;) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile));
    if (!fd.valid()) return errno_error("cannot open the lock", file);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return errno_error("cannot lock", file);
      return make_error(Code::kFailedPrecondition,
                        "process {} runs what is in {}; stop it with `tcfdl down`, or choose another --state",
                        wait_for_pid(fd.get()), file.parent_path().string());
    }
    if (!is_current(fd.get(), file)) continue;
    TCFDL_TRY(write_pid(fd.get(), file));
    return StateLock(std::move(fd));
  }
}

Result<std::optional<pid_t>> StateLock::holder(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return std::optional<pid_t>();
  if (!fd.valid()) return errno_error("cannot open the lock", file);
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::optional<pid_t>();
  if (errno != EWOULDBLOCK) return errno_error("cannot ask for the lock", file);
  const auto pid = wait_for_pid(fd.get());
  if (pid == 0) return Error(Code::kUnavailable, "another process holds the lock and does not say who it is");
  return std::optional(pid);
}

} // namespace tcfdl::cli
