#include "base/file.hpp"

#include "base/ids.hpp"

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <fmt/ranges.h>
#include <fstream>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>

namespace tcfdl {
namespace {

Code code_of_errno(int number) {
  switch (number) {
  case ENOENT: return Code::kNotFound;
  case EACCES:
  case EPERM: return Code::kPermissionDenied;
  case ENOSPC:
  case EDQUOT:
  case EMFILE:
  case ENFILE:
  case ENOMEM: return Code::kResourceExhausted;
  default: return Code::kInternal;
  }
}

/// What an open file of a known size has, into a buffer of that size.
Result<Bytes> read_sized(int fd, std::size_t size, const std::filesystem::path& path, std::size_t limit) {
  if (size > limit) return make_error(Code::kResourceExhausted, "{} is larger than {} bytes", path.string(), limit);
  Bytes content(size);
  for (std::size_t done = 0; done < size;) {
    const auto got = ::read(fd, content.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", path);
    if (got == 0) return make_error(Code::kUnavailable, "{} changes while it is read", path.string());
    done += static_cast<std::size_t>(got);
  }
  return content;
}

} // namespace

Error errno_error(std::string_view what, const std::filesystem::path& path) {
  const int number = errno;
  return make_error(code_of_errno(number), "{} {}: {}", what, path.string(), std::generic_category().message(number));
}

Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", path);
  Bytes content;
  for (std::size_t size = 0;;) {
    content.resize(std::max<std::size_t>(size * 2, 64UL * 1024));
    const auto got = ::read(fd.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", path);
    size += static_cast<std::size_t>(got);
    if (size > limit) return make_error(Code::kResourceExhausted, "{} is larger than {} bytes", path.string(), limit);
    if (got == 0) {
      content.resize(size);
      return content;
    }
  }
}

Result<UniqueFd> open_regular_file(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error("cannot open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error("cannot inspect", path);
  if (!S_ISREG(status.st_mode)) return make_error(Code::kInvalidArgument, "{} is no regular file", path.string());
  return fd;
}

Result<Bytes> read_regular_file(const std::filesystem::path& path, std::size_t limit) {
  TCFDL_ASSIGN(const auto fd, open_regular_file(path));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error("cannot inspect", path);
  return read_sized(fd.get(), static_cast<std::size_t>(status.st_size), path, limit);
}

Result<Bytes> read_private_file(const std::filesystem::path& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error("cannot open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error("cannot inspect", path);
  if (!S_ISREG(status.st_mode)) return make_error(Code::kFailedPrecondition, "{} is no regular file", path.string());
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return make_error(Code::kPermissionDenied,
                      "{} holds secrets and others can read or change it; if nobody did, run: chmod 600 {}",
                      path.string(), path.string());
  }
  return read_sized(fd.get(), static_cast<std::size_t>(status.st_size), path, limit);
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t limit) {
  TCFDL_ASSIGN(const auto content, read_file(path, limit));
  return std::string(as_text(content));
}

Status write_all(int fd, BytesView bytes) {
  while (!bytes.empty()) {
    const auto wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_error("cannot write to", "a descriptor");
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

std::string file_tail(const std::filesystem::path& path, std::size_t most_lines) {
  constexpr std::streamoff kMost = 8192;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.tellg();
  if (!file || size <= 0) return {};
  file.seekg(std::max<std::streamoff>(0, size - kMost));
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > most_lines) lines.pop_front();
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Status write_file(const std::filesystem::path& path, BytesView content, mode_t mode) {
  const auto temporary = path.parent_path() / fmt::format(".{}.{}", path.filename().string(), make_uuid());
  {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.valid()) return errno_error("cannot create", temporary);
    auto written = write_all(fd.get(), content);
    if (written && ::fsync(fd.get()) != 0) written = errno_error("cannot sync", temporary);
    if (!written) {
      ::unlink(temporary.c_str());
      return written.error().within(path.string());
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = errno_error("cannot replace", path);
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

Status sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return errno_error("cannot sync", directory);
  return {};
}

Status make_private_directory(const std::filesystem::path& path) {
  std::error_code failure;
  if (std::filesystem::create_directories(path, failure)) ::chmod(path.c_str(), 0700);
  if (failure)
    return make_error(Code::kInternal, "cannot create the directory {}: {}", path.string(), failure.message());
  return {};
}

TemporaryDirectory::TemporaryDirectory() {
  auto form = (std::filesystem::temp_directory_path() / "tcfdl-XXXXXX").string();
  if (::mkdtemp(form.data()) == nullptr) throw std::runtime_error("cannot create a temporary directory");
  path_ = form;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

} // namespace tcfdl
