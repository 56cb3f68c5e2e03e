// The instances of a cluster whose nodes, tasks and time a test plays.
#pragma once

#include "instance_manager/cluster_instances.hpp"
#include "instance_manager/tests/fakes.hpp"

namespace tcfdl::instance_manager::testing {

class ClusterWorld : public ::testing::Test {
protected:
  /// Does all that is due now, and what comes of it.
  void settle() {
    do {
      cluster_.run_due();
      executor_.run_all();
      cluster_.run_due();
    } while (!executor_.jobs.empty());
  }
  void report(const wire::NodeStatus& status) {
    cluster_.on_node_status(status);
    settle();
  }

  ManualTime time_;
  FakeExecutor executor_;
  FakeNodeCommands nodes_;
  FakeInstanceEvents events_;
  ClusterInstances cluster_{{}, nodes_, events_, executor_, time_};
};

} // namespace tcfdl::instance_manager::testing
