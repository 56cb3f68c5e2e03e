// A running program: its pipes, the end of what it says on stderr, and its own end.
#pragma once

#include "base/fd.hpp"
#include "exec/interrupt.hpp"

#include <mutex>
#include <string>
#include <sys/types.h>
#include <tcfdl/bytes.hpp>
#include <thread>

namespace tcfdl::exec {

/// How a program ended: by a signal, else with a code.
struct Exit {
  int code = 0;
  int signal = 0;

  [[nodiscard]] bool succeeded() const noexcept { return code == 0 && signal == 0; }
  /// `exit code 3` or `signal 9 (Killed)`.
  [[nodiscard]] std::string describe() const;
};

/// Passes a program's stderr on to this process's, on a thread of its own, and remembers the end of it.
class LastWords {
public:
  static constexpr std::size_t kKept = 2048; ///< bytes

  explicit LastWords(UniqueFd pipe);
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;
  ~LastWords() { finish(); }

  /// Takes what the pipe still holds and ends the thread. Idempotent; one thread at a time.
  void finish();

  /// The last bytes as text: control characters are replaced, a broken first character and line ends are cut off.
  [[nodiscard]] std::string text() const;

private:
  void pump();
  void keep(std::string_view piece);

  UniqueFd pipe_;
  Signal stop_;
  mutable std::mutex mutex_;
  std::string kept_; // guarded by mutex_
  std::thread thread_;
};

/// A program in a process group of its own. The destructor kills what is left of the group. `input` and what writes to
/// it belong to one thread at a time, all else to one other.
class Process {
public:
  struct Pipes {
    UniqueFd input;  ///< non-blocking, the program's stdin
    UniqueFd output; ///< non-blocking, its stdout
    UniqueFd errors; ///< its stderr
  };

  Process(pid_t pid, UniqueFd exited, Pipes pipes);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { (void)end(); }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] int input() const noexcept { return input_.get(); }
  [[nodiscard]] int output() const noexcept { return output_.get(); }
  /// Readable once the program has ended.
  [[nodiscard]] int exited() const noexcept { return exited_.get(); }

  /// The program reads the end of its stdin.
  void close_input() { input_.reset(); }

  /// Kills the whole group, as far as it still runs, and tells how the program ended. Idempotent.
  Exit end();

  /// The end of its stderr; complete after `end`.
  [[nodiscard]] std::string last_words() const { return words_.text(); }

private:
  const pid_t pid_;
  UniqueFd exited_;
  UniqueFd input_;
  UniqueFd output_;
  LastWords words_;
  bool ended_ = false;
  Exit exit_;
};

/// `what`, followed by the end of the program's stderr where it said anything.
std::string with_last_words(std::string what, const Process& process);

} // namespace tcfdl::exec
