// What all daemons do: logging, signals, the ready file, an exit code.
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

namespace tcfdl::node {

/// Blocks the signals that end a daemon, before any thread starts, so that `wait_for_stop` receives them.
void block_stop_signals();

/// Waits for SIGTERM or SIGINT.
void wait_for_stop();

/// Writes the ready file (mode 0600), which says that the daemon serves, and removes it when it goes. No path: nothing.
class ReadyFile {
public:
  explicit ReadyFile(std::filesystem::path path);
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;
  ~ReadyFile();
  Status write(const nlohmann::json& content);

private:
  std::filesystem::path path_;
};

/// Runs a daemon and turns its error into a line of the log and an exit code.
int run_daemon(const std::string& name, const std::function<Status()>& body);

} // namespace tcfdl::node
