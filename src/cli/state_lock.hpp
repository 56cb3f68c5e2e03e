// One supervisor a state directory.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <optional>
#include <sys/types.h>

namespace tcfdl::cli {

/// Held by the process until the object goes; the file tells its pid. A killed holder holds it no more.
class StateLock {
public:
  /// FAILED_PRECONDITION names the pid of the holder.
  static Result<StateLock> acquire(const std::filesystem::path& file);

  /// The pid of the holder; nullopt where nobody holds it or the file is missing.
  static Result<std::optional<pid_t>> holder(const std::filesystem::path& file);

private:
  explicit StateLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

} // namespace tcfdl::cli
