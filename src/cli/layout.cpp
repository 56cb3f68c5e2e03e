#include "cli/layout.hpp"

#include "base/file.hpp"
#include "node/caller_shares.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace tcfdl::cli {
namespace {

constexpr std::array kDirectories{"config", "ready", "tokens", "nodes", "clients", "logs"};

std::filesystem::path default_root() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "tcfdl" / "default";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/" : home) / ".local" / "state" / "tcfdl" / "default";
}

/// JSON's texts are YAML's.
std::string quoted(const std::filesystem::path& path) { return nlohmann::json(path.string()).dump(); }

std::string service_manager_yaml(const Layout& layout, const Topology& topology) {
  const std::string name = "service-manager";
  auto text =
      fmt::format("state: {}\nnats_port: 0\nready_file: {}\ncertificate_lifetime: {}\npolicy: {}\n{}initial_tokens:\n",
                  quoted(layout.node(name)), quoted(layout.ready(name)), topology.certificate_lifetime,
                  quoted(layout.config("policy")), write_observation(topology, false));
  for (const auto& cluster : topology.clusters) {
    text += fmt::format("  - {{role: master, cluster: \"{}\", file: {}}}\n", cluster.name,
                        quoted(layout.token(cluster.master())));
  }
  return text;
}

/// What masters and workers have in common.
std::string node_yaml(const Layout& layout, const Topology& topology, const std::string& name, bool has_api) {
  return fmt::format(
      "node: \"{}\"\nstate: {}\nenrolment_token_file: {}\ntee: software\nlocal_adapter: {}\n{}{}ready_file: {}\n", name,
      quoted(layout.node(name)), quoted(layout.token(name)), topology.local_adapter, write_software_tee(topology),
      write_observation(topology, has_api) + write_tracing(topology), quoted(layout.ready(name)));
}

/// Every node here has the software TEE. Only what is named is admitted.
constexpr std::string_view kPolicy =
    "# Which evidence the service manager admits; raise the version with each change, then restart it.\n"
    "version: 1\n"
    "roles:\n"
    "  master: {tee_kinds: {software: software}}\n"
    "  worker: {tee_kinds: {software: software}}\n"
    "  gateway: {tee_kinds: {software: software}}\n";

Status write_text(const std::filesystem::path& path, const std::string& text) {
  return write_file(path, as_bytes(text), kPrivateFile);
}

} // namespace

Layout Layout::at(const std::string& given) {
  auto path =
      std::filesystem::absolute(given.empty() ? default_root() : std::filesystem::path(given)).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return Layout(std::move(path));
}

Status Layout::create() const {
  TCFDL_TRY(make_private_directory(root_));
  for (const auto* name : kDirectories) TCFDL_TRY(make_private_directory(root_ / name));
  return {};
}

Status Layout::remove() const {
  std::error_code failure;
  for (const auto* name : kDirectories) {
    std::filesystem::remove_all(root_ / name, failure);
    if (failure) return make_error(Code::kInternal, "cannot delete {}: {}", (root_ / name).string(), failure.message());
  }
  for (const auto& file : {topology(), processes(), ephemeral(), lock()}) std::filesystem::remove(file, failure);
  std::filesystem::remove(root_, failure); // stays when it holds files of others
  return {};
}

Status write_configuration(const Layout& layout, const Topology& topology) {
  // The policy is its operator's once it is there.
  if (!std::filesystem::exists(layout.config("policy"))) {
    TCFDL_TRY(write_text(layout.config("policy"), std::string(kPolicy)));
  }
  TCFDL_TRY(write_text(layout.config("service-manager"), service_manager_yaml(layout, topology)));
  for (const auto& cluster : topology.clusters) {
    const auto master = cluster.master();
    const auto more = fmt::format("cluster: \"{}\"\napi: 127.0.0.1:0\ngateway: 127.0.0.1:0\ntasks: "
                                  "127.0.0.1:0\nnats_port: 0\nhost_instances: {}\ncalls_per_second: {}\napi_tls: {}\n"
                                  "gateway_tls: {}\n{}",
                                  cluster.name, cluster.host_instances, cluster.calls_per_second, cluster.api_tls,
                                  cluster.gateway_tls, node::write_caller_shares(cluster.callers));
    TCFDL_TRY(write_text(layout.config(master), node_yaml(layout, topology, master, true) + more +
                                                    write_sections(cluster) + write_placement(cluster, master)));
    for (const auto& worker : cluster.workers) {
      TCFDL_TRY(write_text(layout.config(worker),
                           node_yaml(layout, topology, worker, false) + write_placement(cluster, worker)));
    }
  }
  return write_text(layout.topology(), write_topology(topology));
}

} // namespace tcfdl::cli
