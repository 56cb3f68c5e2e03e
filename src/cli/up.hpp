// `tcfdl up` and `tcfdl down`.
#pragma once

#include "cli/command.hpp"
#include "cli/layout.hpp"

namespace tcfdl::cli {

struct UpOptions {
  std::string state;    ///< empty: the default
  std::string topology; ///< a file; empty: that of the state, else the default one
  bool detach = false;
  bool ephemeral = false;
  std::chrono::milliseconds ready_timeout{60'000};
};

/// Runs the supervisor here, or detached until everything is ready. FAILED_PRECONDITION when the state directory is in
/// use, was made for another topology, or holds an installation that --ephemeral would delete.
Status up(const Session& session, const UpOptions& options);

struct DownOptions {
  std::string state;
  bool remove = false; ///< the state directory and its contexts, too
};

/// Ends the supervisor and waits until it and its daemons are gone. Success when nothing runs.
Status down(const Session& session, const DownOptions& options);

/// The topology to start: what the state directory was made for, which a given file must equal.
Result<Topology> choose_topology(const Layout& layout, const std::string& given);

} // namespace tcfdl::cli
