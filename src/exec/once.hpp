// A process for each task: the body is its stdin, the result its stdout.
#pragma once

#include "exec/launcher.hpp"

#include <tcfdl/function.hpp>

namespace tcfdl::exec {

/// Runs tasks by starting a program for each. Both bodies are passed on while they come, at the same time, in memory of
/// constant size. Thread-safe. `launcher` outlives it.
class Once {
public:
  Once(Launcher& launcher, Command command) : launcher_(launcher), command_(std::move(command)) {}

  /// Returns when the program has ended and the body's read in progress has: a program that ends without the rest of
  /// its body waits for the next piece of it. The first 64 KiB of the result are held back until more comes or the
  /// program ends, so that an early failure keeps its own error. Exit codes 64 and 65 (EX_USAGE, EX_DATAERR of
  /// sysexits.h) are INVALID_ARGUMENT, others and signals INTERNAL, with the end of stderr. CANCELLED and
  /// DEADLINE_EXCEEDED kill the program's process group, and so does a failed read of the body or write of the result,
  /// whose error is returned.
  Status run(TaskContext& task, BodyReader& body, BodyWriter& result);

private:
  Launcher& launcher_;
  const Command command_;
};

} // namespace tcfdl::exec
