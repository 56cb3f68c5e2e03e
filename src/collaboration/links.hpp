// Links to other clusters: who provides what, leases there, streams to instances there.
#pragma once

#include "base/guarded.hpp"
#include "base/ids.hpp"
#include "collaboration/ports.hpp"
#include "collaboration/stream_connection.hpp"
#include "message_queue/nats_bus.hpp"
#include "message_queue/stream.hpp"

#include <chrono>
#include <map>
#include <memory>

namespace tcfdl::collaboration {

struct LinksSettings {
  std::string cluster;                        ///< our own
  std::string root_pem;                       ///< who certifies the other clusters' servers
  std::chrono::milliseconds cache{2000};      ///< how long an inquiry's answer is believed
  std::chrono::milliseconds stale{3'600'000}; ///< and while the registry cannot be reached
};

/// A cluster that can be asked, as the status shows it.
struct PeerStatus {
  std::string cluster;
  bool reachable = false;
  std::int64_t expires = 0;
};

/// A link is a connection to the other cluster's message queue, made when it is first needed and kept. Its credential
/// is the service manager's; at half-life a new connection takes the place of the old one, which lives on for its
/// streams. Thread-safe.
class Links {
public:
  Links(LinksSettings settings, Registry& registry) : settings_(std::move(settings)), registry_(registry) {}

  /// Whether another cluster provides the function, as far as is known; asks the registry when that is too long ago.
  bool provides(const std::string& function);
  /// The other clusters' providers of a function, or of all when it is empty.
  Result<wire::Inquired> inquire(const std::string& function, Deadline deadline);

  /// A lease at `request.cluster`, or at the first cluster that grants one. The routes lead through this cluster.
  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline deadline);
  void release(const wire::LeaseRelease& release);
  /// A connection to an instance of another cluster; through proxies: to that cluster's master, which leads on.
  Result<std::unique_ptr<wire::Connection>> open(const wire::OpenRelay& relay, Deadline deadline);

  [[nodiscard]] std::vector<PeerStatus> peers();

private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    wire::Inquired answer;
    Clock::time_point asked;
  };
  struct Link {
    std::string address;
    std::shared_ptr<message_queue::NatsBus> bus;
    Clock::time_point renew_at; ///< half-life of its credential
  };

  Result<std::shared_ptr<message_queue::NatsBus>> link(const std::string& cluster, Deadline deadline);
  Result<std::shared_ptr<message_queue::NatsBus>> find_and_connect(const std::string& cluster, Deadline deadline);
  Result<std::shared_ptr<message_queue::NatsBus>> connect(const std::string& cluster, const wire::LinkAddress& address,
                                                          Deadline deadline);
  Result<wire::LeaseGrant> lease_at(const wire::FunctionProvider& provider, const wire::LeaseRequest& request,
                                    Deadline deadline);
  void give_back(const std::string& cluster, const wire::LeaseGrant& grant, const Error& why);

  const LinksSettings settings_;
  Registry& registry_;
  Guarded<std::map<std::string, Known>> known_; // by function; "" for all
  Guarded<std::map<std::string, Link>> links_;  // by cluster
};

} // namespace tcfdl::collaboration
