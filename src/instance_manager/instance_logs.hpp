// What instances print: one file each.
#pragma once

#include "wire/messages.hpp"

#include <filesystem>

namespace tcfdl::instance_manager {

/// Files `<directory>/<function>/<instance>.log`. Thread-safe: it has no state but the file system's.
class InstanceLogs {
public:
  explicit InstanceLogs(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// The file for a new instance; makes its directory and removes the oldest files beyond `kKept` of the function.
  [[nodiscard]] Result<std::filesystem::path> prepare(const FunctionName& function, const InstanceId& instance) const;
  /// The ends of the newest files of a function, at most `max_bytes` in all, newest file first. Empty if it has none.
  [[nodiscard]] wire::Logs read(const FunctionName& function, std::size_t max_bytes) const;

  static constexpr std::size_t kKept = 16;

private:
  std::filesystem::path directory_;
};

} // namespace tcfdl::instance_manager
