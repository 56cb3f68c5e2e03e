#include "cli/topology.hpp"

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/units.hpp"
#include "cli/yaml_error.hpp"
#include "node/caller_shares.hpp"
#include "node/config.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace tcfdl::cli {
namespace {

constexpr std::size_t kMostClusters = 32;
constexpr std::size_t kMostWorkers = 256;

/// Texts of a mapping as one line of YAML.
std::string flow(const TopologyTexts& texts) {
  std::string line;
  for (const auto& [key, value] : texts) {
    line += fmt::format("{}{}: {}", line.empty() ? "" : ", ", nlohmann::json(key).dump(), nlohmann::json(value).dump());
  }
  return "{" + line + "}";
}

/// Checked as the master will, kept as they were written.
void read_sections(ConfigMapping& mapping, TopologyCluster& cluster) {
  (void)node::read_autoscaling(mapping);
  cluster.autoscaling = mapping.text_map("autoscaling");
  (void)node::read_async_tasks(mapping);
  cluster.async_tasks = mapping.text_map("async_tasks");
  cluster.callbacks = node::read_callbacks(mapping);
  (void)node::read_topics(mapping);
  cluster.topics = mapping.text_map("topics");
}

Result<TopologyNode> read_node(ConfigMapping& mapping, const TopologyCluster& cluster) {
  TopologyNode node;
  node.name = mapping.text("name");
  node.labels = mapping.text_map("labels");
  node.enclave_memory = mapping.text_or("enclave_memory", "");
  if (node.name != cluster.master() && std::ranges::find(cluster.workers, node.name) == cluster.workers.end()) {
    mapping.refuse("name", fmt::format("'{}' is no node of cluster {}", node.name, cluster.name));
  }
  const auto size = parse_size(node.enclave_memory.empty() ? "0B" : node.enclave_memory);
  if (!size) mapping.refuse("enclave_memory", size.error().message());
  TCFDL_TRY(mapping.finish());
  return node;
}

Result<TopologyCluster> read_cluster(ConfigMapping& mapping) {
  TopologyCluster cluster;
  cluster.name = mapping.text("name");
  cluster.workers = mapping.texts("workers");
  cluster.host_instances = mapping.boolean_or("host_instances", cluster.workers.empty());
  cluster.calls_per_second = mapping.integer_or("calls_per_second", 0, 0, 1'000'000);
  TCFDL_ASSIGN(cluster.callers, node::read_caller_shares(mapping));
  cluster.api_tls = mapping.boolean_or("api_tls", false);
  cluster.gateway_tls = mapping.boolean_or("gateway_tls", false);
  read_sections(mapping, cluster);
  for (auto& entry : mapping.mappings("nodes")) {
    TCFDL_ASSIGN(auto node, read_node(entry, cluster));
    cluster.nodes.push_back(std::move(node));
  }
  if (const auto good = check_label(cluster.name, "cluster"); !cluster.name.empty() && !good) {
    mapping.refuse("name", good.error().message());
  }
  if (cluster.name.size() > 56) mapping.refuse("name", "is longer than 56 characters; shorten it");
  if (cluster.workers.size() > kMostWorkers) mapping.refuse("workers", "has more than 256 names");
  for (const auto& worker : cluster.workers) {
    if (const auto good = check_label(worker, "worker"); !good) mapping.refuse("workers", good.error().message());
  }
  TCFDL_TRY(mapping.finish());
  return cluster;
}

/// Every node's name is the name of one daemon in the state directory, and of one subject in its cluster.
Status check_names(const Topology& topology, ConfigMapping& root) {
  std::set<std::string> names{"service-manager", std::string(kLocalClient)};
  std::set<std::string> clusters;
  for (const auto& cluster : topology.clusters) {
    if (!clusters.insert(cluster.name).second) {
      root.refuse("clusters", fmt::format("'{}' is there twice; give each cluster a name of its own", cluster.name));
    }
    auto nodes = cluster.workers;
    nodes.push_back(cluster.master());
    for (const auto& node : nodes) {
      if (!names.insert(node).second) {
        root.refuse("clusters", fmt::format("node '{}' is there twice; give each node a name of its own", node));
      }
    }
  }
  return root.finish();
}

/// Checked as the daemons will.
TopologyObservation read_observation(ConfigMapping& root) {
  TopologyObservation observation;
  const auto checked = node::read_observation(root, true);
  observation.log_level = checked.log_level;
  observation.log_format = log_format_name(checked.log_format);
  observation.metrics = root.boolean_or("metrics", false);
  (void)node::read_tracing(root);
  observation.tracing = root.text_map("tracing");
  return observation;
}

Result<Topology> read_root(ConfigMapping& root) {
  Topology topology;
  auto clusters = root.mappings("clusters");
  topology.local_adapter = root.text_or("local_adapter", "unix");
  if (topology.local_adapter != "unix" && topology.local_adapter != "tcp") {
    root.refuse("local_adapter", fmt::format("'{}' is neither unix nor tcp", topology.local_adapter));
  }
  topology.certificate_lifetime = root.text_or("certificate_lifetime", topology.certificate_lifetime);
  if (const auto good = parse_duration(topology.certificate_lifetime); !good) {
    root.refuse("certificate_lifetime", good.error().message());
  }
  topology.observation = read_observation(root);
  if (auto software = root.mapping("software_tee")) {
    topology.required_layers = software->texts("require");
    TCFDL_TRY(software->finish());
  }
  if (clusters.empty()) root.refuse("clusters", "names no cluster; write at least '- name: local'");
  if (clusters.size() > kMostClusters) root.refuse("clusters", "has more than 32 clusters");
  TCFDL_TRY(root.finish());
  for (auto& mapping : clusters) {
    TCFDL_ASSIGN(auto cluster, read_cluster(mapping));
    topology.clusters.push_back(std::move(cluster));
  }
  TCFDL_TRY(check_names(topology, root));
  return topology;
}

} // namespace

Topology default_topology() {
  Topology topology;
  topology.clusters.push_back({"local", {"worker-1"}, false});
  return topology;
}

Result<Topology> parse_topology(const std::string& text, const std::string& where) {
  TCFDL_ASSIGN(auto root, ConfigMapping::parse(text, where));
  auto topology = read_root(root);
  if (!topology) return with_line(topology.error(), text, where);
  return topology;
}

Result<Topology> read_topology(const std::filesystem::path& path) {
  TCFDL_ASSIGN(const auto text, read_text_file(path, std::size_t{1} << 20U));
  return parse_topology(text, path.string());
}

std::string write_software_tee(const Topology& topology) {
  if (!topology.required_layers) return {};
  return fmt::format("software_tee: {{require: [{}]}}\n", fmt::join(*topology.required_layers, ", "));
}

std::string write_observation(const Topology& topology, bool has_api) {
  const auto& observation = topology.observation;
  std::string text;
  if (observation.log_level != "info") text += fmt::format("log_level: {}\n", observation.log_level);
  if (observation.log_format != "text") text += fmt::format("log_format: {}\n", observation.log_format);
  if (observation.metrics && !has_api) text += "metrics: 127.0.0.1:0\n";
  return text;
}

std::string write_tracing(const Topology& topology) {
  const auto& tracing = topology.observation.tracing;
  return tracing.empty() ? std::string() : fmt::format("tracing: {}\n", flow(tracing));
}

std::string write_sections(const TopologyCluster& cluster, std::string_view indent) {
  std::string text;
  const auto add = [&](std::string_view name, const TopologyTexts& section) {
    if (!section.empty()) text += fmt::format("{}{}: {}\n", indent, name, flow(section));
  };
  add("autoscaling", cluster.autoscaling);
  add("async_tasks", cluster.async_tasks);
  add("topics", cluster.topics);
  if (cluster.callbacks.admitted.empty()) return text;
  return text + fmt::format("{0}callbacks: {1}\n{0}callback_root: {2}\n", indent,
                            nlohmann::json(cluster.callbacks.admitted).dump(),
                            nlohmann::json(cluster.callbacks.root).dump());
}

std::string write_placement(const TopologyCluster& cluster, const std::string& name) {
  const auto node = std::ranges::find(cluster.nodes, name, &TopologyNode::name);
  if (node == cluster.nodes.end()) return {};
  auto text = fmt::format("labels: {}\n", flow(node->labels));
  if (!node->enclave_memory.empty()) text += fmt::format("enclave_memory: {}\n", node->enclave_memory);
  return text;
}

std::string write_topology(const Topology& topology) {
  auto text = fmt::format("local_adapter: {}\ncertificate_lifetime: {}\n{}{}{}metrics: {}\nclusters:\n",
                          topology.local_adapter, topology.certificate_lifetime, write_software_tee(topology),
                          write_observation(topology, true), write_tracing(topology), topology.observation.metrics);
  for (const auto& cluster : topology.clusters) {
    text += fmt::format("  - name: \"{}\"\n    host_instances: {}\n    calls_per_second: {}\n    api_tls: {}\n    "
                        "gateway_tls: {}\n    workers: [",
                        cluster.name, cluster.host_instances, cluster.calls_per_second, cluster.api_tls,
                        cluster.gateway_tls);
    for (std::size_t i = 0; i < cluster.workers.size(); ++i) {
      text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", cluster.workers[i]);
    }
    text += "]\n";
    text += write_sections(cluster, "    ");
    if (!cluster.nodes.empty()) text += "    nodes:\n";
    for (const auto& node : cluster.nodes) {
      text += fmt::format("      - {{name: \"{}\", labels: {}", node.name, flow(node.labels));
      if (!node.enclave_memory.empty()) text += fmt::format(", enclave_memory: {}", node.enclave_memory);
      text += "}\n";
    }
    if (!cluster.callers.empty()) text += "    " + node::write_caller_shares(cluster.callers);
  }
  return text;
}

} // namespace tcfdl::cli
