// Limits and accounting of instances by control groups, version 1 or 2, below the groups of this process.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tcfdl::tee {

/// Of all processes of an instance together; 0: none.
struct GroupLimits {
  std::uint64_t memory = 0;          ///< bytes, swap included where the kernel counts it
  std::uint32_t processes = 0;       ///< and threads
  std::uint32_t millicores = 0;      ///< its share where processors are short: thousandths of one
  std::uint32_t most_millicores = 0; ///< where they are not, too
};

/// The kernel's memory, pids, cpu and, in version 1, cpuacct; version 2 counts time in every group.
enum class Controller : std::uint8_t { kMem, kPids, kCpu, kCpuTime };

/// The control groups of one instance, one in each hierarchy, removed when this goes, or later if processes are left in
/// them.
class ControlGroup {
public:
  explicit ControlGroup(std::vector<std::filesystem::path> paths) : paths_(std::move(paths)) {}
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;
  ~ControlGroup();

  /// Each takes a process that writes "0" into it.
  [[nodiscard]] Result<std::vector<UniqueFd>> doors() const;
  /// Processes that the kernel ended since the memory was full.
  [[nodiscard]] std::uint64_t kills() const;
  [[nodiscard]] const std::vector<std::filesystem::path>& paths() const noexcept { return paths_; }

private:
  std::vector<std::filesystem::path> paths_;
};

/// Where this process may make control groups. Copyable, immutable, thread-safe.
class ControlGroups {
public:
  /// No groups can be made.
  ControlGroups() = default;

  /// Finds a hierarchy for each controller, and where groups can be made in it: in the own group or, with version 2,
  /// beside it. `proc` is `/proc/self`; tests have trees of files.
  static ControlGroups find(const std::filesystem::path& proc = "/proc/self");

  /// New groups with the limits whose controllers there are; nullptr where there is none at all.
  [[nodiscard]] Result<std::unique_ptr<ControlGroup>> make(const std::string& name, const GroupLimits& limits) const;

  /// 1 or 2; 0 where it cannot be had.
  [[nodiscard]] int version(Controller controller) const noexcept;
  /// Why a controller cannot be had.
  [[nodiscard]] Error why_not(Controller controller) const;

private:
  struct Parent {
    std::filesystem::path path;
    int version;
  };
  std::map<Controller, Parent> parents_;
  std::map<Controller, Error> lacking_;
};

} // namespace tcfdl::tee
