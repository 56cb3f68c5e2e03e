// Memory limits by control groups, version 1 or 2, below the group of this process.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <memory>
#include <string_view>

namespace tcfdl::tee {

/// A control group of one instance, which is removed when this goes, or later if processes are left in it.
class MemoryGroup {
public:
  MemoryGroup(std::filesystem::path path, int version) : path_(std::move(path)), version_(version) {}
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup();

  /// Takes a process that writes "0" into it.
  [[nodiscard]] Result<UniqueFd> door() const;
  /// Processes that the kernel ended since the group was full.
  [[nodiscard]] std::uint64_t kills() const;

private:
  std::filesystem::path path_;
  int version_;
};

/// Where this process may make control groups. Copyable, immutable, thread-safe.
class MemoryGroups {
public:
  /// None: no groups can be made.
  MemoryGroups() = default;

  /// Finds the hierarchy that has the memory controller and where groups can be made in it: in the own group or, with
  /// version 2, beside it. FAILED_PRECONDITION says why there is none. `proc` is `/proc/self`; tests have trees of
  /// files.
  static Result<MemoryGroups> find(const std::filesystem::path& proc = "/proc/self");

  /// A new group with a limit in bytes, swap included where the kernel counts it.
  [[nodiscard]] Result<std::unique_ptr<MemoryGroup>> make(const std::string& name, std::uint64_t limit) const;

  /// 1 or 2; 0 for none.
  [[nodiscard]] int version() const noexcept { return version_; }

private:
  MemoryGroups(std::filesystem::path parent, int version) : parent_(std::move(parent)), version_(version) {}

  std::filesystem::path parent_;
  int version_ = 0;
};

} // namespace tcfdl::tee
