// The administration API's ports, answered by the master's modules.
#pragma once

#include "api_service/api_service.hpp"
#include "metrics/page.hpp"
#include "node/client_certificates.hpp"
#include "node/cron_triggers.hpp"
#include "node/drained_nodes.hpp"
#include "node/master_adapters.hpp"
#include "node/master_functions.hpp"
#include "security_manager/access_control.hpp"
#include "security_manager/audit_log.hpp"
#include "wire/enrolment_token.hpp"

namespace tcfdl::node {

/// What the API shows and changes; all outlive it.
struct MasterApiParts {
  std::string cluster;
  std::string node;
  MasterFunctions& deployments;
  function_manager::FunctionManager& functions;
  instance_manager::ClusterInstances& instances;
  DrainedNodes& drained;
  task_manager::TaskManager& tasks;
  MasterScaling& scaling;
  collaboration::Links& links;
  NodeCommander& commander;
  database::FileStore& files;
  security_manager::AccessControl& access;
  security_manager::AuditLog& audit;
  ClientCertificates& certificates;
  ServiceManagerClient& service_manager;
  message_queue::Bus& service_manager_bus;
  /// NodeEntrance as JSON, for a token of a worker that expires then, Unix seconds.
  std::function<Result<Bytes>(UnixSeconds expires)> worker_entrance;
  /// How to know this cluster's servers, for clients' tokens: JSON of `root` and `server_name`.
  Bytes client_entrance;
  std::function<Status(const std::string& node)> revoke_node;
  std::function<void(metrics::Page&)> add_figures;
  api_service::Topics& topics;
  CronTriggers& cron;
};

/// One object for all ports: each is a few lines. Thread-safe, as its parts are.
class MasterApi final : public api_service::Functions,
                        public api_service::Artefacts,
                        public api_service::Cluster,
                        public api_service::Logs,
                        public api_service::Tokens,
                        public api_service::Access,
                        public api_service::Enrolment,
                        public api_service::Metrics,
                        public api_service::Health {
public:
  explicit MasterApi(MasterApiParts parts) : parts_(std::move(parts)) {}
  [[nodiscard]] api_service::Ports ports() {
    return {*this, *this, *this, *this, *this, *this, *this, *this, *this, parts_.topics};
  }

  Result<api_service::Json> list() override;
  Result<api_service::Json> get(const FunctionName& name) override;
  Result<api_service::Deployed> deploy(const api_service::Deployment& deployment) override;
  Result<api_service::Json> set_scale(const FunctionName& name, const api_service::ScaleChange& change) override;
  Status remove(const FunctionName& name) override;
  Result<api_service::Json> seal_key() override;
  Result<api_service::Json> rotate_key(const FunctionName& name, std::chrono::seconds overlap) override;

  Result<bool> contains(const std::string& digest) override { return parts_.files.contains(digest); }
  Status put(const std::string& digest, BytesView content) override;
  Result<Bytes> get(const std::string& digest) override { return parts_.files.get(digest); }

  Result<api_service::Json> status() override;
  Result<api_service::Json> set_drained(const std::string& node, bool drained) override;
  Result<api_service::Json> attestation_result(const std::string& subject, BytesView nonce) override;
  Result<api_service::Json> read(const FunctionName& name, std::size_t bytes) override;
  Result<std::unique_ptr<api_service::LogFollower>> follow(const FunctionName& name, std::size_t bytes) override;
  Result<api_service::IssuedToken> create(const api_service::TokenRequest& request) override;
  Result<api_service::IssuedToken> grant(const api_service::AccessRequest& request) override;
  Result<api_service::Json> principals() override;
  Status revoke(const std::string& name) override { return parts_.access.revoke(name); }
  Result<api_service::Json> records(std::int64_t limit) override;
  Result<wire::AuthorityReply> enrol(const wire::AuthorityRequest& request) override;
  Status revoke_node(const std::string& node) override { return parts_.revoke_node(node); }
  Status revoke_instance(const std::string& instance) override;
  Status revoke_client(const std::string& client) override;
  Result<api_service::Json> clients() override;
  Result<api_service::Json> certificate_of_now(const wire::Signed& unverified) override;
  Result<api_service::Json> change_grants(const wire::ChangeGrants& change) override;
  std::string text() override;
  api_service::HealthState state() override;

private:
  Status check_logs(const FunctionName& name);

  const MasterApiParts parts_;
};

} // namespace tcfdl::node
