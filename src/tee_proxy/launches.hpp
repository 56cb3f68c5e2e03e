// The processes that the proxy measured and started.
#pragma once

#include "tee/launch.hpp"
#include "wire/messages.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace tcfdl::tee_proxy {

/// What is known of a process, and the one-time token by which it shows that it is the one.
struct LaunchRecord {
  std::string instance;
  std::string function;
  wire::Role role = wire::ROLE_INSTANCE;
  Bytes measurement;
  std::vector<std::string> layers; ///< of the sandbox
  std::string manifest = {};       ///< of a bundle with confidential files, which the process opens; else empty
};

/// `launch` must be called from one thread that lives as long as the processes do. The rest is thread-safe.
class Launches {
public:
  /// Called on the reaper's thread after a process has ended.
  using OnExit = std::function<void(const wire::InstanceExited& event)>;

  Launches(tee::Sandbox sandbox, OnExit on_exit);
  Launches(const Launches&) = delete;
  Launches& operator=(const Launches&) = delete;
  /// Kills what still runs.
  ~Launches();

  /// Measures and starts an instance. ALREADY_EXISTS while one of that name runs.
  Result<wire::LaunchedInstance> launch(const wire::LaunchInstance& command,
                                        std::map<std::string, std::string> environment);

  /// Kills an instance and all that it started. NOT_FOUND when none of that name runs.
  Status kill(const std::string& instance);

  /// The process that holds the token; works once.
  Result<LaunchRecord> redeem(const std::string& token);

  /// An instance that is about to end got no identity, for that reason.
  void note_no_identity(const std::string& instance, const std::string& why);

  [[nodiscard]] const tee::Sandbox& sandbox() const noexcept { return sandbox_; }

private:
  struct Process {
    LaunchRecord record;
    tee::Launched launched;
    std::uint64_t memory = 0;        // limit, bytes
    std::string lacks_identity = {}; // why
  };

  void reap();
  void handle_exit(pid_t pid, int status);

  const tee::Sandbox sandbox_;
  OnExit on_exit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Process> processes_;  // guarded by mutex_; by instance
  std::map<std::string, std::string> tokens_; // guarded by mutex_; SHA-256 of the token → instance
  bool stopping_ = false;                     // guarded by mutex_
  std::thread reaper_;
};

} // namespace tcfdl::tee_proxy
