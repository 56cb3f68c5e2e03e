// Long-lived programs that take one task after the other.
#pragma once

#include "exec/frame.hpp"
#include "exec/launcher.hpp"

namespace tcfdl::exec {

/// Runs tasks in copies of one program: as many as tasks run at the same time, started when first needed and kept. A
/// copy that died, broke the format or had its task cancelled is killed; the next task gets a new one. Thread-safe.
/// `launcher` outlives it; the destructor kills the copies.
class Pool {
public:
  Pool(Launcher& launcher, Command command, FrameLimits limits = {})
      : launcher_(launcher), command_(std::move(command)), limits_(limits) {}

  /// Errors: the program's own; INTERNAL where it ended or broke the format, with how and the end of its stderr;
  /// RESOURCE_EXHAUSTED for a body beyond the limit; CANCELLED; DEADLINE_EXCEEDED.
  Result<Bytes> run(TaskContext& task, BytesView body);

private:
  Result<std::unique_ptr<Process>> take();
  std::unique_ptr<Process> take_idle();
  Error explain(const Error& error, const Exchange& exchange, Process& process) const;

  Launcher& launcher_;
  const Command command_;
  const FrameLimits limits_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Process>> idle_; // guarded by mutex_
};

} // namespace tcfdl::exec
