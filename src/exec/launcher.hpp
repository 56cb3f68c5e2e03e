// Starts programs so that none outlives this process.
#pragma once

#include "exec/process.hpp"

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <vector>

namespace tcfdl::exec {

/// A program, searched in PATH unless it has a slash, and its arguments.
using Command = std::vector<std::string>;

/// `NAME=value`, as execve takes it.
using Environment = std::vector<std::string>;

/// This process's environment without what the platform told to this process alone: of the TCFDL_ variables only names
/// and limits stay, no address, token or directory.
Environment program_environment();

/// Forks on one thread of its own, which lives as long as the launcher: the kernel kills a program when the *thread*
/// that forked it ends. Outlives its processes. Thread-safe. Ignores SIGPIPE in this process; programs have it at its
/// default.
class Launcher {
public:
  Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  ~Launcher();

  /// Runs a program with no descriptor of this process but its three pipes. FAILED_PRECONDITION says why it cannot be
  /// executed, RESOURCE_EXHAUSTED that the system has no process, memory or descriptor left.
  Result<std::unique_ptr<Process>> start(const Command& command, const Environment& environment);

private:
  void run();
  pid_t fork_on_thread(std::packaged_task<pid_t()> fork);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::packaged_task<pid_t()>> forks_; // guarded by mutex_
  bool stopping_ = false;                         // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl::exec
