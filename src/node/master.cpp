// The master as a daemon: the composition of a cluster.
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/stop_order.hpp"
#include "collaboration/link_service.hpp"
#include "collaboration/subjects.hpp"
#include "message_queue/server.hpp"
#include "node/cluster_credentials.hpp"
#include "node/credential_keeper.hpp"
#include "node/daemon.hpp"
#include "node/enrolment_bus.hpp"
#include "node/gateway_keeper.hpp"
#include "node/host.hpp"
#include "node/identity.hpp"
#include "node/master_api.hpp"
#include "node/revocation_relay.hpp"
#include "node/run.hpp"
#include "node/task_door.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

/// What is chosen once and kept: ports and secrets.
struct Kept {
  std::uint16_t nats_port = 0;
  ListenAddress api;
  ListenAddress gateway;
  ListenAddress tasks;
  std::string api_token;
  std::string gateway_token;
  std::string tasks_token;

  static Result<Kept> read(const MasterConfig& config, NodeState& state) {
    Kept kept{0, config.api, config.gateway, config.tasks, {}, {}, {}};
    TCFDL_ASSIGN(kept.nats_port, state.port("nats_port", config.nats_port));
    TCFDL_ASSIGN(kept.api.port, state.port("api_port", config.api.port));
    TCFDL_ASSIGN(kept.gateway.port, state.port("gateway_port", config.gateway.port));
    TCFDL_ASSIGN(kept.tasks.port, state.port("tasks_port", config.tasks.port));
    TCFDL_ASSIGN(kept.api_token, state.secret("api_token"));
    TCFDL_ASSIGN(kept.gateway_token, state.secret("gateway_token"));
    TCFDL_ASSIGN(kept.tasks_token, state.secret("tasks_token"));
    return kept;
  }

  [[nodiscard]] std::string tasks_address() const { return fmt::format("tcp:{}:{}", tasks.host, tasks.port); }
};

/// Proxies ask for keys, which are bound to their own certificate. Whatever else an authority does is not theirs to ask
/// under the master's signature.
Status check_proxys_request(BytesView bytes) {
  TCFDL_ASSIGN(const auto request, wire::parse<wire::AuthorityRequest>(bytes));
  if (request.has_instance_keys() || request.has_sender_keys()) return {};
  return Error(Code::kPermissionDenied, "nodes ask the authority for keys and for nothing else");
}

/// The proxy's events: to the host or the gateway, and to the service manager.
class MasterEvents final : public ProxyEvents {
public:
  void connect(ServiceManagerClient* service_manager, Host* host, GatewayKeeper* gateway) {
    const std::scoped_lock lock(mutex_);
    service_manager_ = service_manager;
    host_ = host;
    gateway_ = gateway;
  }
  void on_exited(const wire::InstanceExited& event) override {
    const std::scoped_lock lock(mutex_);
    if (gateway_ != nullptr && gateway_->on_exited(event.instance())) return;
    if (host_ != nullptr) host_->on_exited(event);
  }
  void on_restarted() override {
    const std::scoped_lock lock(mutex_);
    if (gateway_ != nullptr) gateway_->on_proxy_restarted();
    if (host_ != nullptr) host_->on_proxy_restarted();
  }
  Result<Bytes> on_authority(BytesView request) override {
    TCFDL_TRY(check_proxys_request(request));
    ServiceManagerClient* service_manager = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      service_manager = service_manager_;
    }
    if (service_manager == nullptr) return Error(Code::kUnavailable, "the master is starting or stopping");
    return service_manager->authority(request, Deadline::after(seconds(10)));
  }

private:
  std::mutex mutex_;
  ServiceManagerClient* service_manager_ = nullptr; // guarded by mutex_, as are those below
  Host* host_ = nullptr;
  GatewayKeeper* gateway_ = nullptr;
};

/// A report, if it is of the node that its subject names, which is who may publish there.
Result<wire::NodeReport> read_report(const message_queue::Message& message) {
  TCFDL_ASSIGN(auto report, wire::parse<wire::NodeReport>(message.data));
  const auto node = collaboration::subject_token(message.subject, collaboration::kReportingNode);
  if (report.node() == node && (!report.has_status() || report.status().node() == node)) return report;
  return Error(Code::kPermissionDenied, "a node reports in its own name only");
}

/// What nodes say: heartbeats, ends of tasks, their proxies' requests to the authority, and those for credentials.
class NodeReports {
public:
  struct Parts {
    message_queue::Bus& bus;
    message_queue::Bus& service_manager_bus;
    ServiceManagerClient& service_manager;
    ClusterCredentials& credentials;
    instance_manager::ClusterInstances& instances;
    task_manager::TaskManager& tasks;
    RevocationRelay& revocations;
  };

  static Result<std::unique_ptr<NodeReports>> start(const Parts& parts) {
    auto reports = std::make_unique<NodeReports>();
    auto& bus = parts.bus;
    const auto subject = [](const char* what) { return collaboration::report_subject("*", what); };
    TCFDL_ASSIGN(reports->status_, bus.subscribe(subject("status"), [parts](const auto& message) {
      const auto report = read_report(message);
      if (!report || !report->has_status() || !parts.credentials.admits(report->node())) return;
      parts.instances.on_node_status(report->status());
      parts.revocations.on_node(report->status().revocations());
    }));
    TCFDL_ASSIGN(reports->events_, bus.subscribe(subject("events"), [&to = parts.tasks](const auto& message) {
      const auto report = read_report(message);
      if (!report) return;
      for (const auto& event : report->tasks().events()) to.handle_event(event);
    }));
    const auto ask_authority = [&to = parts.service_manager](const auto& message) -> Result<Bytes> {
      TCFDL_ASSIGN(const auto report, read_report(message));
      TCFDL_TRY(check_proxys_request(as_bytes(report.authority())));
      return to.authority(as_bytes(report.authority()), Deadline::after(seconds(10)));
    };
    TCFDL_ASSIGN(reports->authority_, bus.serve(subject("authority"), ask_authority));
    const auto enrol = [&to = parts.service_manager_bus](BytesView bytes) {
      return to.request(collaboration::kServiceEnrolSubject, bytes, Deadline::after(seconds(10)));
    };
    TCFDL_ASSIGN(reports->enrol_, bus.serve(collaboration::kEnrolSubject, enrol));
    const auto issue = [&by = parts.credentials](BytesView bytes) { return by.handle(bytes); };
    TCFDL_ASSIGN(reports->credential_, bus.serve(collaboration::kCredentialSubject, issue));
    return reports;
  }

private:
  message_queue::Subscription status_;
  message_queue::Subscription events_;
  message_queue::Subscription authority_;
  message_queue::Subscription enrol_;
  message_queue::Subscription credential_;
};

FetchFile fetch_from(database::FileStore& files) {
  return [&files](const std::string& digest, const std::filesystem::path& to, Deadline) -> Status {
    TCFDL_ASSIGN(const auto content, files.get(digest));
    return write_file(to, content);
  };
}

/// The levels of the API are the roles of the security manager, by number.
http::Authenticate authenticate_with(const security_manager::AccessControl& access) {
  return [&access](std::string_view token) -> std::optional<http::Caller> {
    const auto principal = access.authenticate(token);
    if (!principal) return std::nullopt;
    return http::Caller{principal->name, std::string(security_manager::role_name(principal->role)),
                        static_cast<int>(principal->role)};
  };
}

/// Records what changes something or was refused.
std::function<void(const http::Answered&)> record_in(security_manager::AuditLog& audit) {
  return [&audit](const http::Answered& request) {
    const bool allowed = request.status != 401 && request.status != 403;
    if (allowed && (request.method == "GET" || request.method == "HEAD")) return;
    const auto caller = request.caller.value_or(http::Caller{});
    audit.add({caller.name, caller.role, request.remote, request.method, request.path, allowed,
               fmt::format("{}", request.status)});
  };
}

/// The whole cluster, built in order of need and stopped in reverse.
class Master {
public:
  explicit Master(const MasterConfig& config) : config_(config) {}
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;
  ~Master() { stops_.stop(); }

  Status start() {
    TCFDL_ASSIGN(auto state, NodeState::open(config_.host.state));
    state_ = std::make_unique<NodeState>(std::move(state));
    TCFDL_ASSIGN(kept_, Kept::read(config_, *state_));
    TCFDL_TRY(wire_identity());
    TCFDL_TRY(wire_messaging());
    TCFDL_TRY(wire_storage());
    TCFDL_TRY(wire_tasks());
    TCFDL_TRY(wire_host());
    TCFDL_TRY(wire_doors());
    (void)functions_->renew_now();
    return {};
  }

  [[nodiscard]] nlohmann::json ready() const {
    return {{"pid", ::getpid()},
            {"cluster", config_.cluster},
            {"node", config_.host.node},
            {"api_url", fmt::format("http://{}:{}", kept_.api.host, kept_.api.port)},
            {"api_token", kept_.api_token},
            {"gateway_url", fmt::format("http://{}:{}", kept_.gateway.host, kept_.gateway.port)},
            {"gateway_token", kept_.gateway_token},
            {"tasks_address", kept_.tasks_address()},
            {"tasks_token", kept_.tasks_token},
            {"nats_port", kept_.nats_port}};
  }

private:
  /// Who this node is, at the service manager: certificate, NATS user, and the cluster's account.
  Status wire_identity() {
    TCFDL_ASSIGN(entrance_, read_entrance(config_.host, *state_));
    if (entrance_.cluster != config_.cluster) {
      return make_error(Code::kFailedPrecondition, "the enrolment token is for cluster {}, the configuration for {}",
                        entrance_.cluster, config_.cluster);
    }
    TCFDL_ASSIGN(auto settings, proxy_settings(config_.host, *state_));
    proxy_ = std::make_unique<ProxyProcess>(std::move(settings), events_);
    TCFDL_TRY(proxy_->start());
    stops_.add([this] { proxy_->stop(); });
    EnrolmentBus enrolment(entrance_);
    const auto send = [&](BytesView request) {
      return enrolment.request(collaboration::kServiceEnrolSubject, request, Deadline::after(seconds(20)));
    };
    TCFDL_ASSIGN(auto identity, obtain_identity(config_.host, *state_, entrance_, wire::ROLE_MASTER, *proxy_, send));
    identity_ = std::make_unique<NodeIdentity>(std::move(identity));
    return wire_credentials(enrolment);
  }

  Status wire_credentials(EnrolmentBus& enrolment) {
    const auto subject = collaboration::credential_subject(config_.cluster);
    const auto ask_first = [&](const auto& request, Deadline deadline) -> Result<collaboration::CredentialReply> {
      TCFDL_ASSIGN(auto* channel, enrolment.get());
      return ask_over(*channel, subject, identity_->signing, identity_->certificate, clock_)(request, deadline);
    };
    TCFDL_ASSIGN(auto user, state_->nats_key("nats_user", message_queue::NkeyKind::kUser));
    TCFDL_ASSIGN(auto signing, state_->nats_key("nats_signing", message_queue::NkeyKind::kAccount));
    TCFDL_ASSIGN(keeper_, CredentialKeeper::open({config_.host.state / "nats_credential", signing.public_text()},
                                                 std::move(user), ask_first, clock_));
    ClusterCredentialsSettings settings{config_.host.state / "nats_users.json", config_.cluster, config_.host.node};
    TCFDL_ASSIGN(credentials_, ClusterCredentials::open(std::move(settings), std::move(signing),
                                                        keeper_->reply().account(), identity_->authority, clock_));
    TCFDL_ASSIGN(service_manager_bus_,
                 message_queue::NatsBus::connect(entrance_.bus(config_.cluster, keeper_->credential())));
    service_manager_ = std::make_unique<ServiceManagerClient>(*service_manager_bus_, config_.cluster,
                                                              identity_->signing, identity_->certificate, clock_);
    events_.connect(service_manager_.get(), nullptr, nullptr);
    stops_.add([this] { events_.connect(nullptr, nullptr, nullptr); });
    return {};
  }

  Status wire_messaging() {
    message_queue::ServerSettings settings;
    settings.state_directory = config_.host.state / "nats";
    settings.port = kept_.nats_port;
    settings.trust = credentials_->trust();
    server_ = std::make_unique<message_queue::EmbeddedServer>(std::move(settings));
    TCFDL_TRY(server_->start());
    stops_.add([this] { server_->stop(); });
    keeper_->start(ask_over(*service_manager_bus_, collaboration::credential_subject(config_.cluster),
                            identity_->signing, identity_->certificate, clock_),
                   [this](const collaboration::CredentialReply& reply) {
                     credentials_->set_account(reply.account());
                     return server_->set_trust(credentials_->trust());
                   });
    stops_.add([this] { keeper_->stop(); });
    TCFDL_ASSIGN(auto user, credentials_->own_user());
    NodeEntrance here;
    here.port = kept_.nats_port;
    auto own = here.bus(config_.host.node, std::move(user));
    own.workers = 64; // leases for other clusters wait on them
    TCFDL_ASSIGN(bus_, message_queue::NatsBus::connect(own));
    TCFDL_ASSIGN(revocations_, RevocationRelay::start({*bus_, *service_manager_bus_, *service_manager_},
                                                      config_.host.state / "revocations", identity_->authority));
    stops_.add([this] { revocations_->stop(); });
    return bus_->create_bucket(collaboration::kRoutesBucket);
  }

  /// Ends a worker's enrolment: the account that names its user has reached the server when this returns.
  Status revoke(const std::string& node) {
    collaboration::CredentialRequest request;
    // First, so that it renews nothing meanwhile.
    TCFDL_ASSIGN(*request.mutable_user_key(), credentials_->refuse(node));
    request.mutable_revoke()->set_node(node);
    const auto deadline = Deadline::after(seconds(10));
    TCFDL_TRY(service_manager_->credential(request, deadline));
    TCFDL_TRY(keeper_->renew_now(deadline));
    TCFDL_TRY(credentials_->forget(node));
    instances_->remove_node(NodeId(node), "its enrolment is revoked");
    spdlog::warn("the enrolment of {} is revoked", node);
    return {};
  }

  /// What a worker's token tells it, with a user that may enrol until the token expires.
  Result<Bytes> worker_entrance(UnixSeconds expires) const {
    TCFDL_ASSIGN(auto user, credentials_->enrolling_user(expires));
    return NodeEntrance{config_.cluster,     "127.0.0.1",           kept_.nats_port,  std::move(user.seed),
                        std::move(user.jwt), kept_.tasks_address(), kept_.tasks_token}
        .to_json();
  }

  Status wire_storage() {
    TCFDL_ASSIGN(database_, database::Database::open(config_.host.state / "master.sqlite"));
    TCFDL_ASSIGN(access_, security_manager::AccessControl::open(*database_, clock_, kept_.api_token));
    TCFDL_ASSIGN(audit_, security_manager::AuditLog::open(*database_, clock_));
    stops_.add([this] { audit_->stop(); });
    TCFDL_ASSIGN(files_,
                 database::FileStore::open(*database_, clock_,
                                           function_manager::artefact_settings(config_.host.state / "artefacts")));
    wire::LinkAddress link;
    link.set_host("127.0.0.1");
    link.set_port(kept_.nats_port);
    registry_ = std::make_unique<RegisteredFunctions>(*service_manager_, std::move(link));
    TCFDL_ASSIGN(function_manager_,
                 function_manager::FunctionManager::open(*database_, *files_, *registry_, clock_, config_.cluster));
    return {};
  }

  Status wire_tasks() {
    links_ = std::make_unique<collaboration::Links>(collaboration::LinksSettings{config_.cluster}, *service_manager_);
    signer_ = std::make_unique<MasterSigner>(identity_->signing, identity_->certificate);
    peers_ = std::make_unique<LinkedPeers>(*links_);
    tasks_ = std::make_unique<task_manager::TaskManager>(
        task_manager::TaskManagerSettings{.cluster = ClusterId(config_.cluster)}, *signer_, *peers_, time_);
    tasks_->start();
    stops_.add([this] { tasks_->stop(); });
    router_ = std::make_unique<InstanceRouter>(*tasks_, *bus_);
    commander_ = std::make_unique<NodeCommander>(*bus_);
    executor_ = std::make_unique<instance_manager::PoolExecutor>(4);
    stops_.add([this] { executor_->stop(); });
    instances_ = std::make_unique<instance_manager::ClusterInstances>(instance_manager::ClusterInstancesSettings{},
                                                                      *commander_, *router_, *executor_);
    functions_ = std::make_unique<MasterFunctions>(*function_manager_, *instances_, *tasks_);
    TCFDL_TRY(functions_->restore());
    instances_->start();
    stops_.add([this] { instances_->stop(); });
    TCFDL_ASSIGN(reports_, NodeReports::start({*bus_, *service_manager_bus_, *service_manager_, *credentials_,
                                               *instances_, *tasks_, *revocations_}));
    stops_.add([this] { reports_.reset(); });
    local_tasks_ = std::make_unique<LeasesForPeers>(*tasks_, config_.cluster);
    TCFDL_ASSIGN(auto service, collaboration::LinkService::start(*bus_, *local_tasks_));
    link_service_.emplace(std::move(service));
    stops_.add([this] { link_service_.reset(); });
    return {};
  }

  Status wire_host() {
    HostSettings settings;
    settings.config = config_.host;
    settings.role = "master";
    settings.cluster = config_.cluster;
    settings.hosts = config_.host_instances;
    TCFDL_ASSIGN(settings.agent, local_address(config_.host, *state_, "agent"));
    settings.tasks = kept_.tasks_address();
    settings.tasks_token = kept_.tasks_token;
    settings.proxy_certificate = identity_->proxy_certificate;
    const auto environment = host_environment(settings);
    host_ = std::make_unique<Host>(std::move(settings), *bus_, *proxy_, fetch_from(*files_));
    TCFDL_ASSIGN(auto program, program_beside_this("tcfdl-gateway"));
    gateway_ = std::make_unique<GatewayKeeper>(GatewaySettings{std::move(program), config_.host.state,
                                                               "gateway-" + config_.host.node, kept_.gateway,
                                                               kept_.gateway_token, environment},
                                               *proxy_);
    events_.connect(service_manager_.get(), host_.get(), gateway_.get());
    TCFDL_TRY(host_->start());
    stops_.add([this] { host_->stop(); });
    return {};
  }

  Result<wire::Signed> renew_certificate(const std::string& client) {
    wire::AuthorityRequest request;
    request.mutable_renew_certificate()->set_client(client);
    TCFDL_ASSIGN(const auto reply, service_manager_->ask(request, Deadline::after(seconds(5))));
    return reply.certificate();
  }

  Status wire_doors() {
    TaskDoorSettings door{wire::TcpAddress{kept_.tasks.host, kept_.tasks.port},
                          kept_.tasks_token,
                          config_.cluster,
                          config_.host.node,
                          identity_->proxy_certificate,
                          config_.call_rate};
    certificates_ =
        std::make_unique<ClientCertificates>([this](const std::string& client) { return renew_certificate(client); },
                                             identity_->authority, revocations_->known(), clock_);
    TCFDL_ASSIGN(
        door_, TaskDoor::start(std::move(door), {*tasks_, *links_, *files_, *proxy_, *host_, *audit_,
                                                 identity_->authority, revocations_->known(), *certificates_, clock_}));
    stops_.add([this] { door_->stop(); });
    stops_.add([this] { tasks_->stop(); }); // first: whoever waits for a lease lets go of the door
    TCFDL_TRY(gateway_->start());
    stops_.add([this] { gateway_->stop(); });
    api_ = std::make_unique<MasterApi>(
        MasterApiParts{config_.cluster, config_.host.node, *functions_, *function_manager_, *instances_, *tasks_,
                       *links_, *commander_, *files_, *access_, *audit_, *service_manager_, *service_manager_bus_,
                       [this](UnixSeconds expires) { return worker_entrance(expires); },
                       [this](const std::string& node) { return revoke(node); }});
    api_service::Settings settings;
    settings.server.address = kept_.api.host;
    settings.server.port = kept_.api.port;
    settings.server.authenticate = authenticate_with(*access_);
    settings.server.on_answered = record_in(*audit_);
    settings.server.requests_per_second = config_.api_rate;
    settings.cluster = config_.cluster;
    settings.gateway_url = fmt::format("http://{}:{}", kept_.gateway.host, kept_.gateway.port);
    api_service_ = std::make_unique<api_service::ApiService>(std::move(settings), api_->ports());
    TCFDL_TRY(api_service_->start());
    stops_.add([this] { api_service_->stop(); });
    functions_->start();
    stops_.add([this] { functions_->stop(); });
    return {};
  }

  const MasterConfig& config_;
  const SystemClock clock_;
  const task_manager::SystemTimeSource time_;
  std::unique_ptr<NodeState> state_;
  Kept kept_;
  NodeEntrance entrance_;
  MasterEvents events_;
  std::unique_ptr<CredentialKeeper> keeper_;
  std::unique_ptr<ClusterCredentials> credentials_;
  std::unique_ptr<message_queue::EmbeddedServer> server_;
  std::unique_ptr<message_queue::NatsBus> bus_;
  std::unique_ptr<message_queue::NatsBus> service_manager_bus_;
  std::unique_ptr<RevocationRelay> revocations_;
  std::unique_ptr<ProxyProcess> proxy_;
  std::unique_ptr<NodeIdentity> identity_;
  std::unique_ptr<ServiceManagerClient> service_manager_;
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<security_manager::AccessControl> access_;
  std::unique_ptr<security_manager::AuditLog> audit_;
  std::unique_ptr<database::FileStore> files_;
  std::unique_ptr<RegisteredFunctions> registry_;
  std::unique_ptr<function_manager::FunctionManager> function_manager_;
  std::unique_ptr<collaboration::Links> links_;
  std::unique_ptr<MasterSigner> signer_;
  std::unique_ptr<LinkedPeers> peers_;
  std::unique_ptr<task_manager::TaskManager> tasks_;
  std::unique_ptr<InstanceRouter> router_;
  std::unique_ptr<NodeCommander> commander_;
  std::unique_ptr<instance_manager::PoolExecutor> executor_;
  std::unique_ptr<instance_manager::ClusterInstances> instances_;
  std::unique_ptr<MasterFunctions> functions_;
  std::unique_ptr<NodeReports> reports_;
  std::unique_ptr<LeasesForPeers> local_tasks_;
  std::optional<collaboration::LinkService> link_service_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<GatewayKeeper> gateway_;
  std::unique_ptr<ClientCertificates> certificates_;
  std::unique_ptr<TaskDoor> door_;
  std::unique_ptr<MasterApi> api_;
  std::unique_ptr<api_service::ApiService> api_service_;
  StopOrder stops_;
};

} // namespace

int run_master(const std::string& config) {
  return run_daemon("master", [&]() -> Status {
    TCFDL_ASSIGN(const auto parsed, MasterConfig::read(config));
    start_logging(parsed.host.node, parsed.host.log_level);
    ReadyFile ready(parsed.host.ready_file);
    Master master(parsed);
    TCFDL_TRY(master.start());
    TCFDL_TRY(ready.write(master.ready()));
    spdlog::info("ready: cluster {}", parsed.cluster);
    wait_for_stop();
    return {};
  });
}

} // namespace tcfdl::node
