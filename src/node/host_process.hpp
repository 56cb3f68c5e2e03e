// Processes that a node's daemon starts and watches itself.
#pragma once

#include "base/deadline.hpp"
#include "base/fd.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcfdl::node {

struct ProcessOrder {
  std::vector<std::string> command = {};     ///< a path, and arguments
  std::vector<std::string> environment = {}; ///< NAME=VALUE, in place of the daemon's own where it has the name
  std::filesystem::path log = {};            ///< takes standard output and error; empty: they go nowhere
  /// In the new process, before its exec, after standard output and error are set and descriptors from 3 on are marked
  /// to be closed: nothing that takes a lock or memory. Empty: nothing.
  std::function<void()> prepare = {};
};

struct HostProcess {
  pid_t pid = -1;
  UniqueFd exited; ///< a pidfd: readable once it has ended
};

/// Starts a process that is killed when the calling thread ends. A program that cannot be executed ends with 127.
Result<HostProcess> start_process(const ProcessOrder& order);

/// Whether it has ended, at the deadline at the latest.
bool await_end(const HostProcess& process, Deadline deadline);

/// SIGTERM, after `grace` SIGKILL to a process that has not ended; its status, as waitpid gives it.
int end_process(const HostProcess& process, std::chrono::milliseconds grace);

} // namespace tcfdl::node
