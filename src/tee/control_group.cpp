#include "tee/control_group.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <sys/stat.h>

namespace tcfdl::tee {
namespace {

constexpr std::size_t kMostText = std::size_t{1} << 20U;

/// Files of the kernel take one write and no rename.
Status write_control(const std::filesystem::path& path, const std::string& value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", path);
  if (::write(fd.get(), value.data(), value.size()) < 0) return errno_error("cannot write", path);
  return {};
}

bool has_word(const std::string& text, const std::string& wanted) {
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == wanted) return true;
  }
  return false;
}

bool has_item(const std::string& list, std::string_view wanted) {
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) {
    if (item == wanted) return true;
  }
  return false;
}

/// A controller's name in each version, and a file that its groups have.
struct Known {
  Controller controller;
  const char* name_v1;
  const char* file_v1;
  const char* name_v2; ///< empty: of every group
  const char* file_v2;
};

constexpr std::array kControllers{
    Known{Controller::kMem, "memory", "memory.limit_in_bytes", "memory", "memory.max"},
    Known{Controller::kPids, "pids", "pids.max", "pids", "pids.max"},
    Known{Controller::kCpu, "cpu", "cpu.cfs_quota_us", "cpu", "cpu.max"},
    Known{Controller::kCpuTime, "cpuacct", "cpuacct.usage", "", "cpu.stat"},
};

struct Hierarchy {
  std::filesystem::path mounted;
  std::string root; ///< of the mount, within the hierarchy
  int version;
  std::string controllers; ///< of version 1, with commas
};

/// The mounts of control groups that /proc/self/mountinfo lists (proc(5)), those of version 1 first.
std::vector<Hierarchy> hierarchies(const std::string& mountinfo) {
  std::vector<Hierarchy> found;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string ignored;
    std::string root;
    std::string point;
    fields >> ignored >> ignored >> ignored >> root >> point;
    for (std::string field; fields >> field && field != "-";) {
    }
    std::string type;
    std::string options;
    fields >> type >> ignored >> options;
    if (type == "cgroup") found.insert(found.begin(), {point, root, 1, options});
    if (type == "cgroup2") found.push_back({point, root, 2, {}});
  }
  return found;
}

/// The group of this process in a hierarchy, from /proc/self/cgroup (cgroups(7)), below the mount's root.
std::optional<std::filesystem::path> own_group(const std::string& groups, const Hierarchy& hierarchy,
                                               const std::string& controller) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy.version == 2 ? !controllers.empty() : !has_item(controllers, controller)) continue;
    auto path = line.substr(second + 1);
    if (hierarchy.root != "/" && path.starts_with(hierarchy.root)) path.erase(0, hierarchy.root.size());
    auto group = hierarchy.mounted / std::filesystem::path(path).relative_path();
    // A container may show the path on its host while the mount begins at its own group.
    return std::filesystem::exists(group / "cgroup.procs") ? group : hierarchy.mounted;
  }
  return std::nullopt;
}

/// Whether groups can be made there; `file` is what such a group must have.
Status try_parent(const std::filesystem::path& parent, const char* file) {
  const auto trial = parent / fmt::format("tcfdl-probe-{}", ::getpid());
  if (::mkdir(trial.c_str(), 0755) != 0) return errno_error("cannot make a control group in", parent);
  const bool has_it = std::filesystem::exists(trial / file);
  ::rmdir(trial.c_str());
  if (has_it) return {};
  return make_error(Code::kFailedPrecondition, "control groups in {} have no {}", parent.string(), file);
}

Result<std::filesystem::path> parent_v2(const std::filesystem::path& group, const Known& known) {
  const std::string name(known.name_v2);
  const auto controllers = read_text_file(group / "cgroup.controllers", kMostText).value_or("");
  if (!name.empty() && !has_word(controllers, name)) {
    return make_error(Code::kFailedPrecondition, "{} was not given the {} controller", group.string(), name);
  }
  // Groups with processes in them have no groups with controllers below them (cgroups(7), "no internal processes").
  const auto own = name.empty() ? Status() : write_control(group / "cgroup.subtree_control", "+" + name);
  if (own && try_parent(group, known.file_v2)) return group;
  auto above = group.parent_path();
  const auto given = read_text_file(above / "cgroup.subtree_control", kMostText).value_or("");
  if ((name.empty() || has_word(given, name)) && try_parent(above, known.file_v2)) return above;
  return make_error(Code::kFailedPrecondition, "no control group can be made in {} or beside it", group.string());
}

/// Removes what proxies that were killed have left: their processes died with them.
void sweep(const std::filesystem::path& parent) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(parent, failure)) {
    const auto name = entry.path().filename().string();
    constexpr std::string_view kPrefix = "tcfdl-";
    if (!name.starts_with(kPrefix)) continue;
    int pid = 0;
    const auto read = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), pid);
    if (read.ec != std::errc() || pid <= 0) continue;
    if (::kill(pid, 0) != 0 && errno == ESRCH) ::rmdir(entry.path().c_str());
  }
}

/// A share of processors, in proportion: what is said of no instance counts as one processor.
Status write_share(const std::filesystem::path& group, int version, std::uint32_t millicores) {
  const std::uint64_t wanted = millicores;
  if (version == 2) {
    return write_control(group / "cpu.weight", std::to_string(std::clamp<std::uint64_t>(wanted / 10, 1, 10'000)));
  }
  return write_control(group / "cpu.shares", std::to_string(std::max<std::uint64_t>(wanted * 1024 / 1000, 2)));
}

/// Of each tenth of a second.
Status write_quota(const std::filesystem::path& group, int version, std::uint32_t millicores) {
  constexpr std::uint64_t kPeriod = 100'000; // microseconds
  constexpr std::uint64_t kShortest = 1'000; // microseconds: what the kernel takes
  const auto quota = std::max(kPeriod * millicores / 1000, kShortest);
  if (version == 2) return write_control(group / "cpu.max", fmt::format("{} {}", quota, kPeriod));
  TCFDL_TRY(write_control(group / "cpu.cfs_period_us", std::to_string(kPeriod)));
  return write_control(group / "cpu.cfs_quota_us", std::to_string(quota));
}

Status write_memory(const std::filesystem::path& group, int version, std::uint64_t limit) {
  TCFDL_TRY(write_control(group / (version == 2 ? "memory.max" : "memory.limit_in_bytes"), std::to_string(limit)));
  const auto swap = group / (version == 2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
  if (!std::filesystem::exists(swap)) return {};
  return write_control(swap, version == 2 ? "0" : std::to_string(limit));
}

Status write_limits(Controller controller, const std::filesystem::path& group, int version, const GroupLimits& limits) {
  switch (controller) {
  case Controller::kMem: return limits.memory == 0 ? Status() : write_memory(group, version, limits.memory);
  case Controller::kPids:
    return limits.processes == 0 ? Status() : write_control(group / "pids.max", std::to_string(limits.processes));
  case Controller::kCpu:
    if (limits.millicores > 0) TCFDL_TRY(write_share(group, version, limits.millicores));
    return limits.most_millicores == 0 ? Status() : write_quota(group, version, limits.most_millicores);
  case Controller::kCpuTime: break;
  }
  return {};
}

} // namespace

ControlGroup::~ControlGroup() {
  // The kernel empties them in its own time after the kill; what is left then is empty and harmless.
  int attempts = 50;
  for (const auto& path : paths_) {
    for (; ::rmdir(path.c_str()) != 0 && errno == EBUSY && attempts > 0; --attempts) ::usleep(2000);
  }
}

Result<std::vector<UniqueFd>> ControlGroup::doors() const {
  std::vector<UniqueFd> doors;
  for (const auto& path : paths_) {
    UniqueFd fd(::open((path / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return errno_error("cannot open", path / "cgroup.procs");
    doors.push_back(std::move(fd));
  }
  return doors;
}

std::uint64_t ControlGroup::kills() const {
  for (const auto& path : paths_) {
    for (const auto* name : {"memory.events", "memory.oom_control"}) {
      std::ifstream file(path / name);
      std::string word;
      for (std::uint64_t count = 0; file >> word >> count;) {
        if (word == "oom_kill") return count;
      }
    }
  }
  return 0;
}

ControlGroups ControlGroups::find(const std::filesystem::path& proc) {
  const auto mounts = hierarchies(read_text_file(proc / "mountinfo", kMostText).value_or(""));
  const auto groups = read_text_file(proc / "cgroup", kMostText).value_or("");
  ControlGroups found;
  std::set<std::filesystem::path> swept;
  for (const auto& known : kControllers) {
    Error why =
        make_error(Code::kFailedPrecondition, "no control groups with a {} controller are mounted", known.name_v1);
    for (const auto& hierarchy : mounts) {
      if (hierarchy.version == 1 && !has_item(hierarchy.controllers, known.name_v1)) continue;
      const auto group = own_group(groups, hierarchy, known.name_v1);
      if (!group) continue;
      Result<std::filesystem::path> parent = *group;
      if (hierarchy.version == 2) {
        parent = parent_v2(*group, known);
      } else if (const auto usable = try_parent(*group, known.file_v1); !usable) {
        parent = usable.error();
      }
      if (parent) {
        if (swept.insert(*parent).second) sweep(*parent);
        found.parents_.emplace(known.controller, Parent{*std::move(parent), hierarchy.version});
        break;
      }
      why = parent.error();
    }
    if (!found.parents_.contains(known.controller)) found.lacking_.emplace(known.controller, std::move(why));
  }
  return found;
}

int ControlGroups::version(Controller controller) const noexcept {
  const auto found = parents_.find(controller);
  return found == parents_.end() ? 0 : found->second.version;
}

Error ControlGroups::why_not(Controller controller) const {
  const auto found = lacking_.find(controller);
  return found == lacking_.end() ? Error(Code::kFailedPrecondition, "nobody has looked for it") : found->second;
}

Result<std::unique_ptr<ControlGroup>> ControlGroups::make(const std::string& name, const GroupLimits& limits) const {
  if (parents_.empty()) return std::unique_ptr<ControlGroup>();
  std::set<std::filesystem::path> paths;
  const auto path_in = [&](const Parent& parent) { return parent.path / fmt::format("tcfdl-{}-{}", ::getpid(), name); };
  for (const auto& [controller, parent] : parents_) paths.insert(path_in(parent));
  auto group = std::make_unique<ControlGroup>(std::vector(paths.begin(), paths.end()));
  for (const auto& path : paths) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return errno_error("cannot make the control group", path);
  }
  for (const auto& [controller, parent] : parents_) {
    TCFDL_TRY(write_limits(controller, path_in(parent), parent.version, limits));
  }
  return group;
}

} // namespace tcfdl::tee
