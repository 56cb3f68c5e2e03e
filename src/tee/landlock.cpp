#include "tee/landlock.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace tcfdl::tee {
namespace {

// Of newer headers than Debian 12 has (linux/landlock.h).
constexpr std::uint64_t kTruncate = 1ULL << 14U;     // ABI 3
constexpr std::uint64_t kIoctlDevice = 1ULL << 15U;  // ABI 5
constexpr std::uint64_t kScopeAbstract = 1ULL << 0U; // ABI 6
constexpr std::uint64_t kScopeSignal = 1ULL << 1U;   // ABI 6

/// struct landlock_ruleset_attr of ABI 6; older kernels take its beginning.
struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};

constexpr std::uint64_t kReading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriting = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr std::uint64_t kDevices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
/// Rights that a rule for a single file may have.
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE | kWriting | kIoctlDevice;

std::uint64_t known_rights(int abi) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1; // ABI 1: bits 0 to 12
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDevice;
  return rights;
}

std::uint64_t rights_of(Access access, std::uint64_t known) {
  switch (access) {
  case Access::kRead: return known & kReading;
  case Access::kExecute: return known & (kReading | LANDLOCK_ACCESS_FS_EXECUTE);
  case Access::kDevice: return known & (kReading | kWriting | kIoctlDevice);
  case Access::kScratch: return known & ~(LANDLOCK_ACCESS_FS_EXECUTE | kDevices);
  }
  return 0;
}

Status add_rule(int ruleset, const PathRule& rule, std::uint64_t known) {
  const UniqueFd fd(::open(rule.path, O_PATH | O_CLOEXEC));
  if (!fd.valid()) return {};
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return errno_error("cannot look at", rule.path);
  auto rights = rights_of(rule.access, known);
  if (!S_ISDIR(info.st_mode)) rights &= kOfFiles;
  landlock_path_beneath_attr attributes{};
  attributes.allowed_access = rights;
  attributes.parent_fd = fd.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attributes, 0) == 0) return {};
  return errno_error("Landlock refuses a rule for", rule.path);
}

} // namespace

int landlock_abi() {
  const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Status restrict_files(std::span<const PathRule> rules) {
  const int abi = landlock_abi();
  const auto known = known_rights(abi);
  const RulesetAttributes attributes{known, 0, abi >= 6 ? kScopeAbstract | kScopeSignal : 0};
  const std::size_t size = abi >= 6 ? sizeof(attributes) : sizeof(attributes.files);
  const UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset.valid()) return errno_error("Landlock makes no rules;", "is it enabled (lsm=landlock,...)?");
  for (const auto& rule : rules) TCFDL_TRY(add_rule(ruleset.get(), rule, known));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0) return {};
  return errno_error("Landlock does not restrict", "this process");
}

} // namespace tcfdl::tee
