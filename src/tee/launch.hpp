// Starting a measured program in the software TEE: as a process in a sandbox that dies with its starter.
#pragma once

#include "tee/bundle.hpp"
#include "tee/sandbox.hpp"
#include "wire/messages.hpp"

#include <map>
#include <sys/types.h>

namespace tcfdl::tee {

struct LaunchSettings {
  std::map<std::string, std::string> environment; ///< the platform's; the manifest's own comes first
  std::filesystem::path log;                      ///< takes standard output and error; empty: they go nowhere
  std::string name;                               ///< of the instance: distinguishes directories and groups
  GroupLimits limits = {};                        ///< of its processes together
  /// The program whose main calls `run_stage_if_asked` first. By default the running one: its measurement covers the
  /// sandbox.
  std::string stage = "/proc/self/exe";
};

/// A running program. Destroying it does not end the program; it removes what was made for it.
struct Launched {
  pid_t pid = -1;                        ///< of the program, as this machine sees it; a child of this process
  pid_t group = -1;                      ///< the process group of all that belongs to it
  std::vector<std::string> layers;       ///< of the sandbox that it runs in
  std::unique_ptr<ControlGroup> control; ///< nullptr where none can be made
  std::filesystem::path own_directory;   ///< of its sockets; the starter removes it
};

/// Executes the bundle's program from its sealed memory, in a session of its own and in every layer that `sandbox` has.
/// Returns once it is executed. TCFDL_RUN_DIR in the environment names the directory of sockets that it may connect to;
/// it gets a directory of its own below that, which TCFDL_RUN_DIR names then.
/// A bundle with confidential files: FAILED_PRECONDITION without the layer of namespaces, RESOURCE_EXHAUSTED where they
/// do not fit into the memory; TCFDL_BUNDLE, TCFDL_SEALED and TCFDL_CONFIDENTIAL tell the program where it opens them.
/// Its processes are killed when the calling thread ends: call from a thread that lives as long as the program.
Result<Launched> launch(const MeasuredBundle& bundle, const LaunchSettings& settings, const Sandbox& sandbox);

/// Runs the stage with a plan that has no program, to its end: whether everything in it can be set up.
Status try_plan(const wire::LaunchPlan& plan, const std::string& stage);

/// A user of this machine that nobody else is: chosen at random from those that this process may become.
unsigned choose_user();

} // namespace tcfdl::tee
