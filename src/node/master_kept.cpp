#include "node/master_kept.hpp"

namespace tcfdl::node {

Result<MasterKept> MasterKept::read(const MasterConfig& config, NodeState& state) {
  MasterKept kept;
  kept.api = config.api;
  kept.gateway = config.gateway;
  if (config.tasks.tls) {
    kept.network_tasks = config.tasks;
    TCFDL_ASSIGN(kept.network_tasks.port, state.port("network_tasks_port", config.tasks.port));
  } else {
    kept.tasks = config.tasks;
  }
  TCFDL_ASSIGN(kept.nats_port, state.port("nats_port", config.nats.port));
  TCFDL_ASSIGN(kept.api.port, state.port("api_port", config.api.port));
  if (kept.gateway) {
    TCFDL_ASSIGN(kept.gateway->port, state.port("gateway_port", config.gateway->port));
  }
  TCFDL_ASSIGN(kept.tasks.port, state.port("tasks_port", kept.tasks.port));
  TCFDL_ASSIGN(kept.api_token, state.secret("api_token"));
  TCFDL_ASSIGN(kept.gateway_token, state.secret("gateway_token"));
  TCFDL_ASSIGN(kept.tasks_token, state.secret("tasks_token"));
  return kept;
}

} // namespace tcfdl::node
