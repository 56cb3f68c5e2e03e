#include "tee/view.hpp"

#include "base/file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace tcfdl::tee {
namespace {

namespace fs = std::filesystem;

/// The new root is built over this directory, which every system has.
constexpr const char* kBase = "/tmp";

constexpr std::array kSystem{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
constexpr std::array kConfiguration{
    "/etc/ssl",          "/etc/ca-certificates", "/etc/ld.so.cache",   "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/alternatives", "/etc/localtime",       "/etc/nsswitch.conf", "/etc/mime.types", "/etc/services",
    "/etc/protocols",    "/etc/python3",         "/etc/fonts"};
constexpr const char* kProcessors = "/sys/devices/system/cpu";
constexpr std::array kDevices{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

struct TextFile {
  const char* path;
  const char* text;
};
constexpr std::array kTexts{
    TextFile{"/etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\ntcfdl:x:1000:1000:instance:/tmp:/usr/sbin/nologin\n"},
    TextFile{"/etc/group", "root:x:0:\ntcfdl:x:1000:\n"}, TextFile{"/etc/hosts", "127.0.0.1 localhost\n"},
    TextFile{"/etc/hostname", "instance\n"}};

/// A thing of the host, held by descriptor, since the new root is built over its path.
struct Source {
  std::string path;
  UniqueFd fd;
  bool is_directory = false;
  bool is_link = false;
};

Result<Source> open_source(const std::string& path) {
  struct stat info{};
  Source source{path, UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW)), false, false};
  if (!source.fd.valid() || ::fstat(source.fd.get(), &info) != 0) return errno_error("cannot open", path);
  source.is_link = S_ISLNK(info.st_mode);
  source.is_directory = S_ISDIR(info.st_mode);
  return source;
}

fs::path inside(const std::string& path) { return kBase + path; }

Status make_place(const fs::path& path, bool directory) {
  std::error_code failure;
  fs::create_directories(directory ? path : path.parent_path(), failure);
  if (failure) return make_error(Code::kInternal, "cannot make {}: {}", path.string(), failure.message());
  if (directory) return {};
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kPublicFile));
  if (!fd.valid()) return errno_error("cannot make", path);
  return {};
}

/// Adds flags to a mount and all below it (mount_setattr(2), Linux 5.12).
Status restrict_mount(const fs::path& at, std::uint64_t flags, bool below = true) {
  mount_attr attributes{};
  attributes.attr_set = flags;
  const unsigned how = below ? AT_RECURSIVE : 0;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, at.c_str(), how, &attributes, sizeof(attributes)) == 0) return {};
  return errno_error("cannot restrict the mount", at);
}

/// Shows a thing of the host at `to`, with these flags.
Status show(const Source& source, const std::string& to, std::uint64_t flags) {
  const auto at = inside(to);
  if (source.is_link) {
    std::error_code failure;
    const auto target = fs::read_symlink(source.path, failure);
    fs::create_directories(at.parent_path(), failure);
    fs::create_symlink(target, at, failure);
    if (failure) return make_error(Code::kInternal, "cannot make the link {}: {}", to, failure.message());
    return {};
  }
  TCFDL_TRY(make_place(at, source.is_directory));
  const auto from = fmt::format("/proc/self/fd/{}", source.fd.get());
  if (::mount(from.c_str(), at.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return errno_error("cannot show", to);
  return restrict_mount(at, flags);
}

Status mount_new(const char* type, const std::string& to, unsigned long flags, const std::string& options) {
  TCFDL_TRY(make_place(inside(to), true));
  if (::mount(type, inside(to).c_str(), type, flags, options.c_str()) == 0) return {};
  return errno_error(fmt::format("cannot mount {} at", type), to);
}

struct Shown {
  Source source;
  std::string to;
  std::uint64_t flags;
};

constexpr std::uint64_t kFixed = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/// Everything of the host that is shown. What the host lacks is left out, but not what the instance cannot do without.
Result<std::vector<Shown>> shown_parts(const wire::LaunchPlan& plan) {
  std::vector<Shown> parts;
  const auto add = [&](const std::string& path, std::uint64_t flags) {
    auto source = open_source(path);
    if (source) parts.push_back({*std::move(source), path, flags});
  };
  for (const auto* path : kSystem) add(path, kFixed);
  for (const auto* path : kConfiguration) add(path, kFixed | MOUNT_ATTR_NOEXEC);
  add(kProcessors, kFixed | MOUNT_ATTR_NOEXEC);
  for (const auto* path : kDevices) add(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  const auto need = [&](const std::string& path, const std::string& to, std::uint64_t flags) -> Status {
    if (path.empty()) return {};
    TCFDL_ASSIGN(auto source, open_source(path));
    parts.push_back({std::move(source), to, flags});
    return {};
  };
  TCFDL_TRY(need(plan.bundle(), kBundle, kFixed));
  if (plan.confidential_size() > 0) TCFDL_TRY(need(plan.bundle(), kSealedBundle, kFixed | MOUNT_ATTR_NOEXEC));
  TCFDL_TRY(need(plan.run_directory(), plan.run_directory(), kFixed | MOUNT_ATTR_NOEXEC));
  TCFDL_TRY(need(plan.own_directory(), plan.own_directory(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  return parts;
}

/// Memory that is kept from swap where the kernel can (tmpfs(5), Linux 6.4, and only for root).
Status mount_unswapped(const std::string& to, unsigned long flags, const std::string& options) {
  if (mount_new("tmpfs", to, flags, options + ",noswap")) return {};
  return mount_new("tmpfs", to, flags, options);
}

/// An empty file for the instance to open a confidential one into, seen read-only where the bundle has the encrypted
/// one.
Status show_confidential(const wire::LaunchPlan& plan, const std::string& path) {
  const auto place = inside(kConfidential) / path;
  TCFDL_TRY(make_place(place, false));
  if (::chmod(place.c_str(), kPrivateFile) != 0) return errno_error("cannot set the mode of", place);
  if (plan.user() != 0 && ::chown(place.c_str(), plan.user(), plan.user()) != 0) {
    return errno_error("cannot give away", place);
  }
  const auto seen = inside(kBundle) / path;
  if (::mount(place.c_str(), seen.c_str(), nullptr, MS_BIND, nullptr) != 0) return errno_error("cannot show", seen);
  return restrict_mount(seen, kFixed | MOUNT_ATTR_NOEXEC);
}

Status make_confidential(const wire::LaunchPlan& plan) {
  if (plan.confidential_size() == 0) return {};
  const auto options = fmt::format("mode=0755,size={},nr_inodes=65536", plan.confidential_memory());
  TCFDL_TRY(mount_unswapped(kConfidential, MS_NOSUID | MS_NODEV | MS_NOEXEC, options));
  for (const auto& path : plan.confidential()) TCFDL_TRY(show_confidential(plan, path));
  return {};
}

Status fill(const wire::LaunchPlan& plan, const std::vector<Shown>& parts) {
  const auto scratch = fmt::format("mode=1777,size={},nr_inodes=65536", plan.scratch());
  constexpr unsigned long kInert = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  TCFDL_TRY(mount_new("proc", "/proc", kInert, ""));
  // Before what is shown: sockets may lie below /tmp.
  TCFDL_TRY(mount_new("tmpfs", "/tmp", kInert, scratch));
  TCFDL_TRY(mount_new("tmpfs", "/dev/shm", kInert, scratch));
  for (const auto& part : parts) TCFDL_TRY(show(part.source, part.to, part.flags));
  TCFDL_TRY(make_confidential(plan));
  for (const auto& file : kTexts) TCFDL_TRY(write_file(inside(file.path), as_bytes(std::string_view(file.text))));
  std::error_code failure;
  fs::create_symlink("/proc/self/fd", inside("/dev/fd"), failure);
  if (failure) return make_error(Code::kInternal, "cannot make /dev/fd: {}", failure.message());
  return {};
}

Status enter() {
  if (::chdir(kBase) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) return errno_error("cannot enter", kBase);
  // The old root lies over the new one now (pivot_root(2), "pivot_root(".", ".")").
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return errno_error("cannot leave", "the old root");
  return restrict_mount("/", MOUNT_ATTR_RDONLY, false);
}

} // namespace

Status build_view(const wire::LaunchPlan& plan) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno_error("cannot keep apart", "/");
  TCFDL_ASSIGN(const auto parts, shown_parts(plan));
  if (::mount("tmpfs", kBase, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m") != 0) {
    return errno_error("cannot mount a file system in memory at", kBase);
  }
  ::umask(022);
  TCFDL_TRY(fill(plan, parts));
  return enter();
}

std::vector<PathRule> view_rules(const wire::LaunchPlan& plan) {
  std::vector<PathRule> rules;
  for (const auto* path : kSystem) rules.push_back({path, Access::kExecute});
  for (const auto* path : kConfiguration) rules.push_back({path, Access::kRead});
  for (const auto& file : kTexts) rules.push_back({file.path, Access::kRead});
  for (const auto* path : kDevices) rules.push_back({path, Access::kDevice});
  rules.push_back({kProcessors, Access::kRead});
  rules.push_back({"/proc", Access::kRead});
  rules.push_back({plan.namespaces() ? kBundle : plan.bundle().c_str(), Access::kExecute});
  if (plan.confidential_size() > 0) {
    rules.push_back({kSealedBundle, Access::kRead});
    rules.push_back({kConfidential, Access::kScratch});
  }
  if (!plan.run_directory().empty()) rules.push_back({plan.run_directory().c_str(), Access::kRead});
  if (!plan.own_directory().empty()) rules.push_back({plan.own_directory().c_str(), Access::kScratch});
  if (!plan.namespaces()) return rules; // the host's /tmp is not the instance's
  rules.push_back({"/tmp", Access::kScratch});
  rules.push_back({"/dev/shm", Access::kScratch});
  return rules;
}

} // namespace tcfdl::tee
