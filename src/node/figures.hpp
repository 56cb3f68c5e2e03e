// The figures of a daemon on a page for Prometheus. docs/metrics.md explains each.
#pragma once

#include "instance_manager/cluster_instances.hpp"
#include "metrics/tally.hpp"
#include "node/host.hpp"
#include "node/master_scaling.hpp"

namespace tcfdl::node {

/// Of a cluster's tasks.
void add_tasks(metrics::Page& page, const task_manager::TaskManager& tasks);

/// Of a cluster's instances and nodes: as they are reported and as they are wanted.
void add_cluster(metrics::Page& page, const instance_manager::ClusterView& view,
                 const std::map<FunctionName, ScalingView>& scaling);

/// Of a node: its instances, and what its proxy did. Without the latter where the proxy does not answer at once.
void add_host(metrics::Page& page, const Host& host, ProxyProcess& proxy);

/// A request's method as a label: one that HTTP servers know, or `other`.
std::string method_label(const std::string& method);

} // namespace tcfdl::node
