// Starts the daemons of a topology in order, keeps them running, and stops them in reverse order.
#pragma once

#include "cli/daemon.hpp"
#include "cli/layout.hpp"
#include "cli/signals.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::cli {

struct SupervisorSettings {
  Layout layout;
  Topology topology;
  std::filesystem::path program;                   ///< this binary
  std::chrono::milliseconds ready_timeout{60'000}; ///< of one group of daemons
};

/// Owns the daemons. Used by one thread. The state lock is held by its owner all the time. Destructor = stop.
class Supervisor {
public:
  explicit Supervisor(SupervisorSettings settings) : settings_(std::move(settings)) {}
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor() { stop(); }

  /// Starts everything and waits until it is ready. The value tells what runs, as `tcfdl up --json` prints it. An error
  /// names the daemon and shows the end of its log; CANCELLED when it was told to stop.
  Result<nlohmann::json> start();

  /// Starts daemons again that end, until SIGINT, SIGTERM or SIGHUP.
  void run();

  /// Workers first, the service manager last; SIGTERM, and SIGKILL after 10 s. Idempotent.
  void stop();

private:
  /// A daemon and when it is due again.
  struct Watched {
    Daemon daemon;
    Backoff backoff;
    std::optional<std::chrono::steady_clock::time_point> due;
  };
  using Group = std::vector<Watched>; // started and stopped together

  Status recover();
  Status start_group(const std::vector<std::string>& names, const std::string& command);
  Status wait_ready(Group& group);
  Status mark_enrolled(const Group& group) const;
  Status fetch_tokens();
  Result<nlohmann::json> admit_client(const TopologyCluster& cluster, bool first);
  Result<nlohmann::json> ready_of(const std::string& name) const;
  void stop_group(Group& group);
  void watch(Watched& watched);
  [[nodiscard]] Status record() const;

  const SupervisorSettings settings_;
  Signals signals_;
  std::vector<Group> groups_; // in the order of their start
};

} // namespace tcfdl::cli
