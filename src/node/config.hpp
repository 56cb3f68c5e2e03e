// The configuration files of the daemons. docs/formats/topology.md lists their keys.
#pragma once

#include "base/config.hpp"
#include "base/log.hpp"
#include "courier/task_store.hpp"
#include "node/callback_receivers.hpp"
#include "security_manager/audit_log.hpp"
#include "service_manager/authority/vault.hpp"
#include "task_manager/autoscaler.hpp"
#include "task_manager/types.hpp"
#include "topics/journal.hpp"

#include <filesystem>
#include <map>
#include <optional>

namespace tcfdl::node {

/// A listening address; port 0 is chosen once and kept in the state.
struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  bool tls = false; ///< always, but on loopback
};

/// Where a message queue's server listens and how others find it; port 0 is chosen once and kept in the state.
struct QueueAddress {
  std::string listen = "127.0.0.1"; ///< numeric IPv4
  std::uint16_t port = 0;
  std::string advertise = "127.0.0.1"; ///< what tokens and the registry tell others: a name or an address
  /// Where this machine itself reaches it.
  [[nodiscard]] std::string local() const { return listen == "0.0.0.0" ? "127.0.0.1" : listen; }
};

/// The section `tracing`: docs/tracing.md.
struct TracingConfig {
  std::string endpoint;       ///< of an OTLP collector; empty: no spans
  double sampling = 1;        ///< the share of traces that begin in this cluster which are recorded
  std::filesystem::path root; ///< PEM, whom an endpoint in TLS is believed by
};

/// What every daemon says of itself: docs/logs.md, docs/metrics.md.
struct Observation {
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
  std::optional<ListenAddress> metrics{}; ///< on loopback; none: not served. A master's are at its API
  TracingConfig tracing{};                ///< of nodes

  [[nodiscard]] LogSettings logs(std::string component, std::string node = {}) const {
    return {std::move(component), std::move(node), {}, log_level, log_format};
  }
};

/// The section `tracing`, which may be absent; what is wrong is remembered by the section or by `config`.
TracingConfig read_tracing(ConfigMapping& config);

/// `log_level`, `log_format` and, where the daemon has no API, `metrics`; what is wrong is remembered by `config`.
Observation read_observation(ConfigMapping& config, bool has_api);

struct InitialToken {
  std::string cluster;
  std::filesystem::path file;
};

struct ServiceManagerConfig {
  std::filesystem::path state;
  QueueAddress nats;
  std::filesystem::path policy;                 ///< docs/formats/attestation_policy.md, with a version
  std::vector<std::string> collateral;          ///< directories of Intel's files, one a kind of platform
  std::filesystem::path certificates;           ///< directory of AMD's; empty: none
  service_manager::authority::KeyFile key_file; ///< of the authority's keys, and what opens it
  std::chrono::seconds certificate_lifetime{};  ///< of what it certifies and the keys it issues
  std::vector<InitialToken> initial_tokens;     ///< for masters; made at the first start
  Observation observation;
  std::filesystem::path ready_file;

  static Result<ServiceManagerConfig> read(const std::filesystem::path& file);
};

/// The section `autoscaling`, which may be absent; what is wrong is remembered by the section or by `config`.
task_manager::AutoscalingSettings read_autoscaling(ConfigMapping& config);

/// The section `async_tasks`, which may be absent; what is wrong is remembered by the section or by `config`. The
/// directory is left open.
courier::StoreSettings read_async_tasks(ConfigMapping& config);

/// The keys `callbacks` and `callback_root`, likewise.
CallbackConfig read_callbacks(ConfigMapping& config);

/// Enclaves of a node, by the path PATH of each one's PATH.manifest.sgx and PATH.sig.
struct GramineConfig {
  std::string launcher; ///< gramine-sgx, by name or path
  std::filesystem::path proxy;
};

/// The section `audit`, which may be absent; what is wrong is remembered by the section or by `config`.
security_manager::AuditSettings read_audit(ConfigMapping& config);

/// The section `topics`, likewise. The file is left open.
topics::JournalSettings read_topics(ConfigMapping& config);

/// What masters and workers have in common.
struct HostConfig {
  std::string node;
  std::filesystem::path state;
  std::filesystem::path enrolment_token_file;
  std::string tee;                           ///< software, gramine or tsm
  std::filesystem::path attestation_root;    ///< empty: the TEE's own
  std::optional<GramineConfig> gramine;      ///< there with `tee: gramine`, and only then
  std::vector<std::string> required_layers;  ///< of the software TEE; the node does not start without them
  std::map<std::string, std::string> labels; ///< for placement, as reported
  std::uint64_t enclave_memory = 0;          ///< bytes of all enclaves; 0: what the machine says
  bool local_tcp = false;                    ///< local connections over loopback TCP in place of Unix sockets
  std::string instance_address;              ///< numeric IPv4 where other nodes reach our instances; empty: nowhere
  std::string instance_ports;                ///< FIRST-LAST of them; empty: any
  Observation observation;
  std::filesystem::path ready_file;
};

struct MasterConfig {
  HostConfig host;
  std::string cluster;
  ListenAddress api;
  std::optional<ListenAddress> gateway; ///< nullopt: the cluster has none
  ListenAddress tasks;                  ///< with TLS: beside the one on loopback, for callers on other machines
  QueueAddress nats;
  bool host_instances = true;
  unsigned api_rate = 100; ///< requests a second of one holder of a token; 0: no limit
  unsigned call_rate = 0;  ///< calls a second of one caller; 0: no limit
  task_manager::AutoscalingSettings autoscaling;
  task_manager::CallerShares callers;
  courier::StoreSettings async_tasks; ///< without its directory
  CallbackConfig callbacks;
  security_manager::AuditSettings audit;
  topics::JournalSettings topics; ///< without its file

  static Result<MasterConfig> read(const std::filesystem::path& file);
};

struct WorkerConfig {
  HostConfig host;

  static Result<WorkerConfig> read(const std::filesystem::path& file);
};

} // namespace tcfdl::node
