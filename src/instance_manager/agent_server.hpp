// The node's end of its instances' connections.
#pragma once

#include "instance_manager/node_instances.hpp"

namespace tcfdl::instance_manager {

/// Serves each connection on the thread that calls: first the instance says that it is ready, with its token, then it
/// reports tasks; commands go the other way. Anything else ends the connection. Thread-safe.
class AgentServer {
public:
  explicit AgentServer(NodeInstances& instances) : instances_(instances) {}

  /// Returns when the connection is over.
  void serve(wire::Connection& connection);

private:
  NodeInstances& instances_;
};

} // namespace tcfdl::instance_manager
