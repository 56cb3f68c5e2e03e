// The process between the proxy and an instance's program: it becomes the sandbox and then the program.
#pragma once

#include "wire/messages.hpp"

#include <optional>
#include <string>

namespace tcfdl::tee {

/// The first argument of a program that is run as the stage.
constexpr std::string_view kStageArgument = "--sandbox-stage";

/// What the stage tells its starter, as lines of a pipe: `pid HOST-PID` of the program, `error CODE TEXT`. The end of
/// the pipe without an error means that the program was executed.
struct StageReport {
  pid_t pid = -1;
  std::optional<Error> error;
};
StageReport parse_stage_report(const std::string& text);

/// Runs the stage when the arguments ask for it, `PROGRAM --sandbox-stage PLAN PROGRAM REPORT` (descriptors: the plan,
/// the program to execute, the pipe), and does not return then. Call it first in main: the process must have one
/// thread, and must not have become non-dumpable.
///
/// It leaves two processes, both children of the stage's own parent and killed when the thread of it that started the
/// stage ends: the program, and where there are namespaces the first process of its process-id namespace, which
/// collects orphans and with which everything in the namespace dies. Both stay in the process group of the stage.
void run_stage_if_asked(int argc, char** argv);

} // namespace tcfdl::tee
