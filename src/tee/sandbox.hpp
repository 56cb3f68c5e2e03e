// The sandbox of the software TEE: what this machine can give.
#pragma once

#include "tee/control_group.hpp"
#include "tee/layers.hpp"

#include <vector>

namespace tcfdl::tee {

struct MissingLayer {
  std::string name;
  std::string why;
};

/// What this machine has, as tried out once. Immutable.
class Sandbox {
public:
  /// Tries every layer with processes of `stage` (see LaunchSettings) that set it up and end.
  static Sandbox probe(const std::string& stage);
  /// Nothing: instances run as plain processes. For tests of other things.
  static Sandbox none() { return {}; }

  /// FAILED_PRECONDITION that names each required layer that is missing, why, and what to do.
  [[nodiscard]] Status require(const std::set<std::string>& layers) const;

  /// What instances get, for statements and status: `namespaces`, `seccomp`, `landlock/7`, `memory/cgroup2`, …
  [[nodiscard]] std::vector<std::string> layers() const;
  [[nodiscard]] const std::vector<MissingLayer>& missing() const noexcept { return missing_; }

  [[nodiscard]] bool namespaces() const noexcept { return namespaces_; }
  [[nodiscard]] bool own_user() const noexcept { return own_user_; }
  [[nodiscard]] bool landlock() const noexcept { return landlock_ > 0; }
  [[nodiscard]] const std::string& filter() const noexcept { return filter_; }
  [[nodiscard]] const ControlGroups& groups() const noexcept { return groups_; }

private:
  bool namespaces_ = false;
  bool own_user_ = false; // instances run as users of their own on this machine
  int landlock_ = 0;      // the ABI
  std::string filter_;    // seccomp's program
  ControlGroups groups_;
  std::vector<MissingLayer> missing_;
};

} // namespace tcfdl::tee
