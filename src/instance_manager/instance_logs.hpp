// What instances print: one file each, and one more for what was printed before when that is much.
#pragma once

#include "wire/messages.hpp"

#include <filesystem>
#include <mutex>

namespace tcfdl::instance_manager {

/// Files `<directory>/<function>/<instance>.log`, each with a `.log.1` once it was too large. Thread-safe.
class InstanceLogs {
public:
  explicit InstanceLogs(std::filesystem::path directory, std::uintmax_t largest = kLargest)
      : directory_(std::move(directory)), largest_(largest) {}

  /// The file for a new instance; makes its directory and removes the oldest files beyond `kKept` of the function.
  [[nodiscard]] Result<std::filesystem::path> prepare(const FunctionName& function, const InstanceId& instance) const;

  /// The ends of the newest files of a function, at most `max_bytes` in all, newest file first. Empty if it has none.
  [[nodiscard]] wire::Logs read(const FunctionName& function, std::size_t max_bytes) const;

  /// What was printed after the positions, about `max_bytes` in all; files without a position from their beginning.
  /// Files with nothing new are left out. What was printed two rotations ago is lost.
  [[nodiscard]] wire::Logs read_on(const FunctionName& function, const wire::LogPositions& after,
                                   std::size_t max_bytes) const;

  /// Moves what is in files that are too large aside, in place of what was there.
  void bound() const;

  static constexpr std::size_t kKept = 16;
  static constexpr std::uintmax_t kLargest = std::uintmax_t{8} << 20U;

private:
  const std::filesystem::path directory_;
  const std::uintmax_t largest_;
  mutable std::mutex mutex_; // a file is not read while it is moved
};

} // namespace tcfdl::instance_manager
