// Nodes that are to have no instances, as their operators want it: kept over restarts of the master.
#pragma once

#include "database/sqlite.hpp"
#include "instance_manager/cluster_instances.hpp"

namespace tcfdl::node {

/// Thread-safe.
class DrainedNodes {
public:
  /// Tells `instances` of those that were drained before.
  static Result<std::unique_ptr<DrainedNodes>> open(database::Database& database,
                                                    instance_manager::ClusterInstances& instances);

  Status set(const NodeId& node, bool drained);

private:
  DrainedNodes(database::Database& database, instance_manager::ClusterInstances& instances)
      : database_(database), instances_(instances) {}
  Status tell();

  database::Database& database_;
  instance_manager::ClusterInstances& instances_;
};

} // namespace tcfdl::node
