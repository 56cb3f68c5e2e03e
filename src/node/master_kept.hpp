// The ports and secrets of a master: the same in each of its runs.
#pragma once

#include "node/config.hpp"
#include "node/state.hpp"

namespace tcfdl::node {

/// What is chosen once and kept: ports and secrets.
struct MasterKept {
  std::uint16_t nats_port = 0;
  ListenAddress api;
  std::optional<ListenAddress> gateway;
  ListenAddress tasks;         ///< on this machine
  ListenAddress network_tasks; ///< in TLS, or nothing
  std::string api_token;
  std::string gateway_token;
  std::string tasks_token;

  static Result<MasterKept> read(const MasterConfig& config, NodeState& state);
  [[nodiscard]] std::string tasks_address() const { return fmt::format("tcp:{}:{}", tasks.host, tasks.port); }
};

} // namespace tcfdl::node
