// Connections to instances, kept for the next task.
#pragma once

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "sdk/hop_path.hpp"
#include "wire/address.hpp"

#include <functional>
#include <map>
#include <set>
#include <tcfdl/client.hpp>
#include <vector>

namespace tcfdl::sdk {

/// A connection after the instance's hello. Used by one call at a time.
struct InstanceConnection {
  std::unique_ptr<HopPath> path; ///< under hop-by-hop protection; then `connection` looks into it
  std::unique_ptr<wire::Connection> connection;
  wire::Hello hello;
  std::string way;                ///< 'local', 'tcp', 'tls', 'relay' or 'proxies'
  std::string kept_as;            ///< what it may serve again
  bool proven = false;            ///< possession of the caller's key was shown
  std::set<std::string> capsules; ///< ids that the instance has
};

/// Thread-safe; references outlive it.
class InstancePool {
public:
  InstancePool(const Identity& identity, TaskManager& task_manager, const Clock& clock)
      : identity_(identity), task_manager_(task_manager), clock_(clock) {}

  /// An idle connection to the instance of a grant, or a new one by its best route that answers. One through the master
  /// is of no more use once a straight one is to be tried again. What has no protection, and what its owner
  /// wants in TLS, takes no connection that the network could read. `options.route` may name the only one.
  /// `traceparent`: of the call that needs it.
  Result<std::unique_ptr<InstanceConnection>> take(const wire::LeaseGrant& grant, const wire::Descriptor& descriptor,
                                                   const CallOptions& options, Deadline deadline,
                                                   const std::string& traceparent = {});
  /// The same through the TEE proxies on the way.
  Result<std::unique_ptr<InstanceConnection>> take_path(const wire::LeaseGrant& grant, const std::string& function,
                                                        Deadline deadline);
  void give_back(std::unique_ptr<InstanceConnection> connection);

private:
  /// When an address that did not answer is tried again.
  struct Silence {
    Deadline until;
    std::chrono::seconds pause;
  };

  using IsOutdated = std::function<bool(const InstanceConnection&)>;
  /// Those that are outdated are dropped.
  std::unique_ptr<InstanceConnection> take_idle(const std::string& kept_as, const IsOutdated& is_outdated);
  /// The address is not tried for a while, which grows.
  void note_silence(const std::string& address);
  void note_answer(const std::string& address);
  /// `wanted`: the only way; empty for any. `closed`: nothing on the way may read along.
  [[nodiscard]] bool is_of_use(const wire::Route& route, const std::string& wanted, bool closed) const;
  /// In TLS where the address says so: with that instance and nobody else.
  Result<std::unique_ptr<wire::Connection>> connect(const wire::Address& address, const wire::LeaseGrant& grant,
                                                    Deadline deadline);
  Result<std::unique_ptr<InstanceConnection>> open(const wire::LeaseGrant& grant, const wire::Route& route,
                                                   Deadline deadline, const std::string& traceparent);
  Result<std::unique_ptr<wire::Connection>> open_relay(const wire::LeaseGrant& grant, Deadline deadline,
                                                       const std::string& traceparent);

  const Identity& identity_;
  TaskManager& task_manager_;
  const Clock& clock_;
  Guarded<std::map<std::string, std::vector<std::unique_ptr<InstanceConnection>>>> idle_;
  Guarded<std::map<std::string, Silence>> silent_; ///< addresses that did not answer
};

} // namespace tcfdl::sdk
