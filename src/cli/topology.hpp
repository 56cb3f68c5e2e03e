// Which clusters and workers `tcfdl up` starts. docs/formats/topology.md.
#pragma once

#include "base/result.hpp"
#include "node/callback_receivers.hpp"
#include "task_manager/types.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tcfdl::cli {

/// The client that `tcfdl up` enrols with every cluster.
constexpr std::string_view kLocalClient = "local-user";

using TopologyTexts = std::vector<std::pair<std::string, std::string>>;

/// What is said of one node of a cluster.
struct TopologyNode {
  std::string name;
  TopologyTexts labels;
  std::string enclave_memory; ///< as written; empty: what the machine says

  friend bool operator==(const TopologyNode&, const TopologyNode&) = default;
};

struct TopologyCluster {
  std::string name;
  std::vector<std::string> workers;
  bool host_instances = false;       ///< whether the master's node runs instances
  std::int64_t calls_per_second = 0; ///< of one caller; 0: no limit
  bool api_tls = false;              ///< whether the master's API is HTTPS
  bool gateway_tls = false;          ///< whether the gateway is
  TopologyTexts autoscaling = {};    ///< as in a master's configuration, checked
  TopologyTexts async_tasks = {};    ///< likewise
  node::CallbackConfig callbacks = {};
  TopologyTexts topics = {}; ///< likewise
  std::vector<TopologyNode> nodes = {};
  task_manager::CallerShares callers = {};

  [[nodiscard]] std::string master() const { return name + "-master"; }
  friend bool operator==(const TopologyCluster&, const TopologyCluster&) = default;
};

/// What the daemons say of themselves.
struct TopologyObservation {
  std::string log_level = "info";
  std::string log_format = "text";
  bool metrics = false;       ///< of the daemons that have no API, too
  TopologyTexts tracing = {}; ///< of the nodes

  friend bool operator==(const TopologyObservation&, const TopologyObservation&) = default;
};

struct Topology {
  std::vector<TopologyCluster> clusters;
  std::string local_adapter = "unix"; ///< or tcp
  std::string certificate_lifetime = "30d";
  /// Layers that every node's software TEE must have; absent: all.
  std::optional<std::vector<std::string>> required_layers = {};
  TopologyObservation observation = {};

  friend bool operator==(const Topology&, const Topology&) = default;
};

/// One cluster `local` with the worker `worker-1`.
Topology default_topology();

/// INVALID_ARGUMENT names file, line and remedy. `where` is the file's path.
Result<Topology> parse_topology(const std::string& text, const std::string& where);
Result<Topology> read_topology(const std::filesystem::path& path);

/// The line about the software TEE, in topologies and configurations of nodes; empty for the default.
std::string write_software_tee(const Topology& topology);

/// The lines about logs and metrics in a daemon's configuration; empty for the defaults.
std::string write_observation(const Topology& topology, bool has_api);

/// The line about traces in a node's configuration and in topologies; empty for none.
std::string write_tracing(const Topology& topology);

/// The lines about autoscaling and asynchronous tasks, in topologies (indented) and configurations of masters; empty
/// for the defaults.
std::string write_sections(const TopologyCluster& cluster, std::string_view indent = {});
/// The lines of a node's configuration about placement; empty when nothing is said.
std::string write_placement(const TopologyCluster& cluster, const std::string& name);

/// The document that `parse_topology` reads back.
std::string write_topology(const Topology& topology);

} // namespace tcfdl::cli
