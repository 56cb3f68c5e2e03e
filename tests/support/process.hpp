// Real processes under test: run to their end, or kept in the background and always ended.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcfdl::test {

using Environment = std::map<std::string, std::string>;

struct Finished {
  int exit_code = -1; ///< 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

/// Runs a program to its end, which is forced after `limit`.
Finished run(const std::vector<std::string>& command, const Environment& environment = {},
             const std::string& input = {}, std::chrono::seconds limit = std::chrono::seconds(120));

/// A program in the background, its output in a file. Killed, with its group, when this goes.
class Background {
public:
  Background(const std::vector<std::string>& command, const Environment& environment, const std::string& log);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Waits for the end; the exit code as in Finished, or nullopt-like -1 after `limit`.
  int wait(std::chrono::seconds limit = std::chrono::seconds(60));

private:
  pid_t pid_;
  bool ended_ = false;
};

/// Polls until `condition` holds; false after `limit`.
template <class Condition> bool eventually(Condition condition, std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    struct timespec pause{0, 20'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

/// Whether a process of this number exists and is no zombie.
bool is_alive(pid_t pid);

} // namespace tcfdl::test
