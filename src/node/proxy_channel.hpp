// The lines between a daemon and its TEE proxy: a port with two adapters. docs/formats/proxy_lines.md.
#pragma once

#include "node/host_process.hpp"
#include "wire/socket.hpp"

#include <memory>

namespace tcfdl::node {

/// The daemon's ends.
struct ProxyLines {
  std::shared_ptr<wire::Connection> commands;
  std::shared_ptr<wire::Connection> events;
  std::shared_ptr<wire::Connection> authority; ///< events that ask for it
};

/// How one start of a proxy gets its lines: made before the process, handed over to it, taken when it has them.
class ProxyChannel {
public:
  virtual ~ProxyChannel() = default;
  /// Variables for the process, NAME=VALUE. They may be secret.
  [[nodiscard]] virtual std::vector<std::string> environment() const = 0;
  /// `ProcessOrder::prepare` of the process.
  virtual void hand_over() const noexcept = 0;
  /// The daemon's ends, once. UNAVAILABLE when the process ends before they are there, DEADLINE_EXCEEDED.
  virtual Result<ProxyLines> take(const HostProcess& process, Deadline deadline) = 0;
};

/// Descriptors 3 to 5 of the process.
Result<std::unique_ptr<ProxyChannel>> inherited_lines();

/// Connections of the process to a port on loopback, each of which shows that it knows a secret of this start.
Result<std::unique_ptr<ProxyChannel>> loopback_lines();

} // namespace tcfdl::node
