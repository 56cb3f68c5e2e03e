#include "tee/memory_group.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <sstream>
#include <sys/stat.h>
#include <vector>

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

struct Hierarchy {
  std::filesystem::path mounted;
  std::string root; ///< of the mount, within the hierarchy
  int version;
};

/// The mounts of control groups that /proc/self/mountinfo lists (proc(5)): those with the memory controller.
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
    if (type == "cgroup" && has_item(options, "memory")) found.insert(found.begin(), {point, root, 1});
    if (type == "cgroup2") found.push_back({point, root, 2});
  }
  return found;
}

/// The group of this process in a hierarchy, from /proc/self/cgroup (cgroups(7)), below the mount's root.
std::optional<std::filesystem::path> own_group(const std::string& groups, const Hierarchy& hierarchy) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy.version == 2 ? !controllers.empty() : !has_item(controllers, "memory")) continue;
    auto path = line.substr(second + 1);
    if (hierarchy.root != "/" && path.starts_with(hierarchy.root)) path.erase(0, hierarchy.root.size());
    auto group = hierarchy.mounted / std::filesystem::path(path).relative_path();
    // A container may show the path on its host while the mount begins at its own group.
    return std::filesystem::exists(group / "cgroup.procs") ? group : hierarchy.mounted;
  }
  return std::nullopt;
}

/// Whether groups can be made there; `limit_file` is what such a group must have.
Status try_parent(const std::filesystem::path& parent, const char* limit_file) {
  const auto trial = parent / fmt::format("tcfdl-probe-{}", ::getpid());
  if (::mkdir(trial.c_str(), 0755) != 0) return errno_error("cannot make a control group in", parent);
  const bool limited = std::filesystem::exists(trial / limit_file);
  ::rmdir(trial.c_str());
  if (limited) return {};
  return make_error(Code::kFailedPrecondition, "control groups in {} have no {}", parent.string(), limit_file);
}

Result<std::filesystem::path> parent_v2(const std::filesystem::path& group) {
  const auto controllers = read_text_file(group / "cgroup.controllers", kMostText).value_or("");
  if (!has_word(controllers, "memory")) {
    return make_error(Code::kFailedPrecondition, "{} was not given the memory controller", group.string());
  }
  // Groups with processes in them have no groups with controllers below them (cgroups(7), "no internal processes").
  const auto own = write_control(group / "cgroup.subtree_control", "+memory");
  if (own && try_parent(group, "memory.max")) return group;
  auto above = group.parent_path();
  const auto given = read_text_file(above / "cgroup.subtree_control", kMostText).value_or("");
  if (has_word(given, "memory") && try_parent(above, "memory.max")) return above;
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

} // namespace

MemoryGroup::~MemoryGroup() {
  // The kernel empties it in its own time after the kill; what is left then is empty and harmless.
  for (int attempt = 0; ::rmdir(path_.c_str()) != 0 && errno == EBUSY && attempt < 50; ++attempt) ::usleep(2000);
}

Result<UniqueFd> MemoryGroup::door() const {
  UniqueFd fd(::open((path_ / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", path_ / "cgroup.procs");
  return fd;
}

std::uint64_t MemoryGroup::kills() const {
  std::ifstream file(path_ / (version_ == 2 ? "memory.events" : "memory.oom_control"));
  std::string name;
  for (std::uint64_t count = 0; file >> name >> count;) {
    if (name == "oom_kill") return count;
  }
  return 0;
}

Result<MemoryGroups> MemoryGroups::find(const std::filesystem::path& proc) {
  TCFDL_ASSIGN(const auto mounts, read_text_file(proc / "mountinfo", kMostText));
  TCFDL_ASSIGN(const auto groups, read_text_file(proc / "cgroup", kMostText));
  Error why(Code::kFailedPrecondition, "no control groups with a memory controller are mounted");
  for (const auto& hierarchy : hierarchies(mounts)) {
    const auto group = own_group(groups, hierarchy);
    if (!group) continue;
    if (hierarchy.version == 1) {
      const auto usable = try_parent(*group, "memory.limit_in_bytes");
      if (usable) {
        sweep(*group);
        return MemoryGroups(*group, 1);
      }
      why = usable.error();
      continue;
    }
    auto parent = parent_v2(*group);
    if (parent) {
      sweep(*parent);
      return MemoryGroups(*std::move(parent), 2);
    }
    why = parent.error();
  }
  return why;
}

Result<std::unique_ptr<MemoryGroup>> MemoryGroups::make(const std::string& name, std::uint64_t limit) const {
  const auto path = parent_ / fmt::format("tcfdl-{}-{}", ::getpid(), name);
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return errno_error("cannot make the control group", path);
  auto group = std::make_unique<MemoryGroup>(path, version_);
  TCFDL_TRY(write_control(path / (version_ == 2 ? "memory.max" : "memory.limit_in_bytes"), std::to_string(limit)));
  const auto swap = path / (version_ == 2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
  if (std::filesystem::exists(swap)) TCFDL_TRY(write_control(swap, version_ == 2 ? "0" : std::to_string(limit)));
  return group;
}

} // namespace tcfdl::tee
