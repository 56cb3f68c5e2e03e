// What a new process does between fork and exec, and how it ended.
#pragma once

#include <csignal>
#include <string>
#include <sys/types.h>

namespace tcfdl {

/// Has `death_signal` sent to the calling process, a child of `parent` before its exec, when the thread that forked it
/// ends, and gives it default signals: none ignored, none blocked, whatever its parent inherited or set. Ends it with
/// status 127 where the parent is gone already. Takes no lock and no memory.
void begin_child(pid_t parent, int death_signal = SIGKILL) noexcept;

/// A status of waitpid(2) in words, as `killed by signal 9` or `exited with status 1`.
std::string describe_exit(int status);

} // namespace tcfdl
