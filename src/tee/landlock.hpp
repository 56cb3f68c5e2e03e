// Landlock (landlock(7)): access to files by path, refused by the kernel whatever the file's mode says.
#pragma once

#include "base/result.hpp"

#include <span>

namespace tcfdl::tee {

/// What a path and all below it may serve for.
enum class Access : std::uint8_t {
  kRead,    ///< read and list
  kExecute, ///< and execute
  kDevice,  ///< read and write, nothing made or removed
  kScratch, ///< everything but executing and making devices
};

struct PathRule {
  const char* path;
  Access access;
};

/// The version of Landlock's interface that the kernel has; 0 without it.
int landlock_abi();

/// Restricts this process, and what it starts, to these paths; a path that does not exist gives no access. Where the
/// kernel can, also keeps it from abstract Unix sockets and from signals to processes outside. Needs no_new_privs.
Status restrict_files(std::span<const PathRule> rules);

} // namespace tcfdl::tee
