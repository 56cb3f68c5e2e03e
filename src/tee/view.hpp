// The file system that an instance sees, built in a mount namespace of its own.
#pragma once

#include "base/result.hpp"
#include "tee/landlock.hpp"
#include "wire/messages.hpp"

#include <vector>

namespace tcfdl::tee {

/// Where an instance finds its bundle.
constexpr const char* kBundle = "/bundle";
/// Where an instance with confidential files finds its bundle as it was delivered, and where it opens them: memory of
/// its own, which is what it sees in the place of the encrypted files in its bundle.
constexpr const char* kSealedBundle = "/sealed";
constexpr const char* kConfidential = "/confidential";
/// The user and group that an instance is, as it sees itself.
constexpr unsigned kInnerUser = 1000;

/// Replaces the root of this mount namespace by what the instance may see: system libraries and programs, its bundle,
/// its sockets, a scratch directory in memory, its own /proc and the harmless devices. The working directory is `/`
/// then. Call in the new process-id namespace, with CAP_SYS_ADMIN over the mount namespace.
Status build_view(const wire::LaunchPlan& plan);

/// The same as rules, for Landlock. `plan` lives as long as they do.
std::vector<PathRule> view_rules(const wire::LaunchPlan& plan);

} // namespace tcfdl::tee
