// Whole files, written so that a crash leaves the old content or the new, never a part.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <sys/types.h>
#include <tcfdl/bytes.hpp>

namespace tcfdl {

constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPublicFile = 0644;

/// An error from errno, as `what PATH: reason`. NOT_FOUND for a missing file, PERMISSION_DENIED, RESOURCE_EXHAUSTED
/// for a full disk or too many descriptors, INTERNAL otherwise.
Error errno_error(std::string_view what, const std::filesystem::path& path);

/// Reads a file of at most `limit` bytes. RESOURCE_EXHAUSTED if it is longer.
Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30U);
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t limit = std::size_t{16} << 20U);

/// Opens a regular file for reading; INVALID_ARGUMENT for what is none, as a pipe, which is not waited for.
Result<UniqueFd> open_regular_file(const std::filesystem::path& path);
/// Reads a regular file into one buffer of its very size; `read_file` takes twice that meanwhile. Errors of both;
/// UNAVAILABLE if it changes.
Result<Bytes> read_regular_file(const std::filesystem::path& path, std::size_t limit);

/// Reads a file that holds secrets, into one buffer that the caller may wipe. PERMISSION_DENIED, with the remedy, when
/// others than its owner can read or change it; FAILED_PRECONDITION when it is no regular file.
Result<Bytes> read_private_file(const std::filesystem::path& path, std::size_t limit);

/// The last lines of a text file, joined by newlines, none at the end; empty for a file that is empty or missing. Lines
/// beyond the last 8 KiB are left out.
std::string file_tail(const std::filesystem::path& path, std::size_t most_lines);

/// Replaces a file atomically and durably (temporary file, fsync, rename).
Status write_file(const std::filesystem::path& path, BytesView content, mode_t mode = kPublicFile);

/// Makes new names in a directory survive a crash.
Status sync_directory(const std::filesystem::path& directory);

/// Creates a directory and its parents, for the owner only.
Status make_private_directory(const std::filesystem::path& path);

/// Writes all bytes to a descriptor.
Status write_all(int fd, BytesView bytes);

/// A directory below the system's temporary directory that removes itself with all it holds.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace tcfdl
