// The configuration files of the daemons. docs/formats/topology.md lists their keys.
#pragma once

#include "base/config.hpp"

#include <filesystem>

namespace tcfdl::node {

/// A listening address on loopback; port 0 is chosen once and kept in the state.
struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

struct InitialToken {
  std::string cluster;
  std::filesystem::path file;
};

struct ServiceManagerConfig {
  std::filesystem::path state;
  std::uint16_t nats_port = 0;
  std::filesystem::path policy;             ///< docs/formats/attestation_policy.md, with a version
  std::vector<std::string> collateral;      ///< directories of Intel's files, one a kind of platform
  std::filesystem::path certificates;       ///< directory of AMD's; empty: none
  std::vector<InitialToken> initial_tokens; ///< for masters; made at the first start
  std::string log_level;
  std::filesystem::path ready_file;

  static Result<ServiceManagerConfig> read(const std::filesystem::path& file);
};

/// What masters and workers have in common.
struct HostConfig {
  std::string node;
  std::filesystem::path state;
  std::filesystem::path enrolment_token_file;
  std::string tee;                          ///< software, gramine or tsm
  std::filesystem::path attestation_root;   ///< empty: the TEE's own
  std::vector<std::string> required_layers; ///< of the software TEE; the node does not start without them
  bool local_tcp = false;                   ///< local connections over loopback TCP in place of Unix sockets
  std::string log_level;
  std::filesystem::path ready_file;
};

struct MasterConfig {
  HostConfig host;
  std::string cluster;
  ListenAddress api;
  ListenAddress gateway;
  ListenAddress tasks;
  std::uint16_t nats_port = 0;
  bool host_instances = true;
  unsigned api_rate = 100; ///< requests a second of one holder of a token; 0: no limit
  unsigned call_rate = 0;  ///< calls a second of one caller; 0: no limit

  static Result<MasterConfig> read(const std::filesystem::path& file);
};

struct WorkerConfig {
  HostConfig host;

  static Result<WorkerConfig> read(const std::filesystem::path& file);
};

} // namespace tcfdl::node
