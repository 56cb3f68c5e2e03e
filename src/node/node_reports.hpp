// What a master hears from its nodes.
#pragma once

#include "instance_manager/cluster_instances.hpp"
#include "message_queue/bus.hpp"
#include "node/cluster_credentials.hpp"
#include "node/revocation_relay.hpp"
#include "node/service_manager_client.hpp"
#include "task_manager/task_manager.hpp"

namespace tcfdl::node {

/// Nodes ask for keys and certificates, which are bound to their own. Whatever else an authority does is not theirs to
/// ask under the master's signature: PERMISSION_DENIED.
Status check_proxys_request(BytesView bytes);

/// What nodes say: heartbeats, ends of tasks, their proxies' requests to the authority, and those for credentials.
class NodeReports {
public:
  struct Parts {
    message_queue::Bus& bus;
    message_queue::Bus& service_manager_bus;
    ServiceManagerClient& service_manager;
    ClusterCredentials& credentials;
    instance_manager::ClusterInstances& instances;
    task_manager::TaskManager& tasks;
    RevocationRelay& revocations;
  };

  /// What is in `parts` outlives the reports.
  static Result<std::unique_ptr<NodeReports>> start(const Parts& parts);

private:
  message_queue::Subscription status_;
  message_queue::Subscription events_;
  message_queue::Subscription authority_;
  message_queue::Subscription enrol_;
  message_queue::Subscription credential_;
};

} // namespace tcfdl::node
