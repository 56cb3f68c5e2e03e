// A daemon as a child process of the supervisor.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcfdl::cli {

struct DaemonSpec {
  std::string name;
  std::vector<std::string> arguments; ///< of the program, without its name
  std::filesystem::path log;          ///< its output, appended
  std::filesystem::path ready;        ///< written by it when it is ready
};

/// A process that pids alone do not identify, since they are used again.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t started = 0; ///< clock ticks after boot, of /proc/PID/stat

  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

/// nullopt when no such process is there or it is a zombie.
std::optional<ProcessId> find_process(pid_t pid);

/// Asks processes to end, waits, then kills what is left.
void end_processes(const std::vector<ProcessId>& processes, std::chrono::milliseconds patience);

/// How long to wait before a daemon is started again: longer after each failure, short again after a long life.
class Backoff {
public:
  /// `lived` is how long the daemon ran.
  std::chrono::milliseconds next(std::chrono::milliseconds lived);

private:
  std::chrono::milliseconds wait_{500};
};

/// Starts and watches one process. Used by one thread, which outlives the process: it gets SIGTERM when that thread
/// ends.
class Daemon {
public:
  explicit Daemon(DaemonSpec spec) : spec_(std::move(spec)) {}

  /// Runs `program` in a session of its own. A stale ready file is removed before.
  Status start(const std::filesystem::path& program);

  [[nodiscard]] const DaemonSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] bool running() const noexcept { return process_.pid != 0; }
  [[nodiscard]] const ProcessId& process() const noexcept { return process_; }
  [[nodiscard]] std::chrono::milliseconds age() const;

  /// How it ended, as `exited with status 1`; nullopt while it runs. Collects the child.
  std::optional<std::string> ended();

  void signal(int number) const;

private:
  DaemonSpec spec_;
  ProcessId process_;
  std::chrono::steady_clock::time_point started_;
};

} // namespace tcfdl::cli
