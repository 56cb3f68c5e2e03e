// The master as a daemon: the composition of a cluster.
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/stop_order.hpp"
#include "collaboration/link_service.hpp"
#include "collaboration/subjects.hpp"
#include "crypto/pem.hpp"
#include "crypto/server_tls.hpp"
#include "message_queue/server.hpp"
#include "message_queue/server_config.hpp"
#include "node/api_callers.hpp"
#include "node/cluster_credentials.hpp"
#include "node/credential_keeper.hpp"
#include "node/cron_triggers.hpp"
#include "node/daemon.hpp"
#include "node/enrolment_bus.hpp"
#include "node/figures.hpp"
#include "node/gateway_keeper.hpp"
#include "node/host.hpp"
#include "node/identity.hpp"
#include "node/master_api.hpp"
#include "node/master_events.hpp"
#include "node/master_kept.hpp"
#include "node/node_reports.hpp"
#include "node/revocation_relay.hpp"
#include "node/run.hpp"
#include "node/span_export.hpp"
#include "node/task_door.hpp"
#include "node/topic_api.hpp"
#include "node/topic_triggers.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

FetchFile fetch_from(database::FileStore& files) {
  return [&files](const std::string& digest, const std::filesystem::path& to, Deadline) -> Status {
    TCFDL_ASSIGN(const auto content, files.get(digest));
    return write_file(to, content);
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
    TCFDL_ASSIGN(kept_, MasterKept::read(config_, *state_));
    TCFDL_ASSIGN(spans_, start_span_export(config_.host.observation.tracing, "master/" + config_.host.node));
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
    nlohmann::json document{{"pid", ::getpid()},
                            {"cluster", config_.cluster},
                            {"node", config_.host.node},
                            {"api_url", url_of(kept_.api)},
                            {"api_token", kept_.api_token},
                            {"gateway_url", gateway_url()},
                            {"gateway_token", kept_.gateway_token},
                            {"tasks_address", kept_.tasks_address()},
                            {"tasks_token", kept_.tasks_token},
                            {"nats_port", kept_.nats_port}};
    if (kept_.api.tls || (kept_.gateway && kept_.gateway->tls) || kept_.network_tasks.tls) {
      document["tls_root"] = crypto::to_pem(entrance_.root, "CERTIFICATE");
      document["tls_server_name"] = wire::cluster_server(config_.cluster);
    }
    return document;
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
    TCFDL_ASSIGN(auto tls_key, state_->tls_key());
    TCFDL_ASSIGN(auto root, crypto::Certificate::parse(entrance_.root));
    CredentialKeeperSettings keeping{config_.host.state / "nats_credential", signing.public_text()};
    keeping.certificate.emplace(tls_key.public_key(), std::move(root), wire::cluster_server(config_.cluster));
    tls_key_pem_ = std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(tls_key));
    TCFDL_ASSIGN(keeper_, CredentialKeeper::open(std::move(keeping), std::move(user), ask_first, clock_));
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

  /// From now on the renewal's thread alone writes to the state.
  void renew_certificates() {
    const auto ask = [this](const wire::AuthorityRequest& request, Deadline deadline) {
      return service_manager_->ask(request, deadline);
    };
    renewal_.emplace(
        RenewalSettings{.what = "the node's certificate"}, clock_, [this] { return identity_->certificate.lifetime(); },
        [this, ask] { return renew_identity(config_.host, *state_, *identity_, *proxy_, ask, clock_); });
    stops_.add([this] { renewal_->stop(); });
  }

  static std::string certificate_pem(const collaboration::CredentialReply& reply) {
    return crypto::to_pem(as_bytes(reply.tls_certificate()), "CERTIFICATE");
  }

  /// Where others reach a server of this node.
  [[nodiscard]] const std::string& host_of(const ListenAddress& address) const {
    return address.host == "0.0.0.0" ? config_.nats.advertise : address.host;
  }
  [[nodiscard]] std::string url_of(const ListenAddress& address) const {
    return fmt::format("{}://{}:{}", address.tls ? "https" : "http", host_of(address), address.port);
  }
  [[nodiscard]] std::string gateway_url() const { return kept_.gateway ? url_of(*kept_.gateway) : std::string(); }

  /// What a client's token tells it: how to know the servers of this cluster, and where its tasks go from elsewhere.
  [[nodiscard]] Bytes client_entrance() const {
    nlohmann::json json{{"root", to_base64url(entrance_.root)}, {"server_name", wire::cluster_server(config_.cluster)}};
    if (kept_.network_tasks.tls) {
      json["tasks"] = fmt::format("tls:{}:{}", host_of(kept_.network_tasks), kept_.network_tasks.port);
      json["tasks_token"] = kept_.tasks_token;
    }
    return to_bytes(json.dump());
  }

  /// How others find this cluster's message queue and know it.
  [[nodiscard]] NodeEntrance own_entrance(const std::string& host) const {
    NodeEntrance here;
    here.cluster = config_.cluster;
    here.host = host;
    here.port = kept_.nats_port;
    here.root = entrance_.root;
    here.server_name = wire::cluster_server(config_.cluster);
    return here;
  }

  Status wire_messaging() {
    message_queue::ServerSettings settings;
    settings.state_directory = config_.host.state / "nats";
    settings.host = config_.nats.listen;
    settings.port = kept_.nats_port;
    settings.tls = message_queue::ServerTls{certificate_pem(keeper_->reply()), tls_key_pem_};
    settings.trust = credentials_->trust();
    settings.store_is_copy = true; // of topics and routes
    TCFDL_ASSIGN(server_tls_, crypto::ServerTls::make(certificate_pem(keeper_->reply()), tls_key_pem_,
                                                      crypto::to_pem(entrance_.root, "CERTIFICATE")));
    server_ = std::make_unique<message_queue::EmbeddedServer>(std::move(settings));
    TCFDL_TRY(server_->start());
    stops_.add([this] { server_->stop(); });
    keeper_->start(ask_over(*service_manager_bus_, collaboration::credential_subject(config_.cluster),
                            identity_->signing, identity_->certificate, clock_),
                   [this](const collaboration::CredentialReply& reply) -> Status {
                     TCFDL_TRY(server_->set_certificate(certificate_pem(reply)));
                     TCFDL_TRY(server_tls_->replace(certificate_pem(reply)));
                     credentials_->set_account(reply.account());
                     return server_->set_trust(credentials_->trust());
                   });
    stops_.add([this] { keeper_->stop(); });
    TCFDL_ASSIGN(auto user, credentials_->own_user());
    auto own = own_entrance(config_.nats.local()).bus(config_.host.node, std::move(user));
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
    auto entrance = own_entrance(config_.nats.advertise);
    entrance.seed = std::move(user.seed);
    entrance.jwt = std::move(user.jwt);
    if (message_queue::is_loopback(entrance.host)) entrance.tasks = kept_.tasks_address(); // else by the message queue
    entrance.tasks_token = kept_.tasks_token;
    return entrance.to_json();
  }

  Status wire_storage() {
    TCFDL_ASSIGN(database_, database::Database::open(config_.host.state / "master.sqlite"));
    TCFDL_ASSIGN(access_, security_manager::AccessControl::open(*database_, clock_, kept_.api_token));
    TCFDL_ASSIGN(audit_, security_manager::AuditLog::open(*database_, clock_, config_.audit));
    stops_.add([this] { audit_->stop(); });
    TCFDL_ASSIGN(files_,
                 database::FileStore::open(*database_, clock_,
                                           function_manager::artefact_settings(config_.host.state / "artefacts")));
    wire::LinkAddress link;
    link.set_host(config_.nats.advertise);
    link.set_port(kept_.nats_port);
    registry_ = std::make_unique<RegisteredFunctions>(*service_manager_, std::move(link));
    TCFDL_ASSIGN(function_manager_,
                 function_manager::FunctionManager::open(*database_, *files_, *registry_, clock_, config_.cluster));
    return {};
  }

  Status wire_tasks() {
    links_ = std::make_unique<collaboration::Links>(
        collaboration::LinksSettings{config_.cluster, crypto::to_pem(entrance_.root, "CERTIFICATE")},
        *service_manager_);
    signer_ = std::make_unique<MasterSigner>(identity_->signing, identity_->certificate);
    peers_ = std::make_unique<LinkedPeers>(*links_);
    commander_ = std::make_unique<NodeCommander>(*bus_);
    recalls_ = std::make_unique<NodeRecalls>(*commander_);
    tasks_ = std::make_unique<task_manager::TaskManager>(
        task_manager::TaskManagerSettings{
            .cluster = ClusterId(config_.cluster), .callers = config_.callers, .spans = spans_.get()},
        *signer_, *peers_, *recalls_, time_);
    tasks_->start();
    stops_.add([this] { tasks_->stop(); });
    router_ = std::make_unique<InstanceRouter>(*tasks_, *bus_);
    executor_ = std::make_unique<instance_manager::PoolExecutor>(4);
    stops_.add([this] { executor_->stop(); });
    instances_ = std::make_unique<instance_manager::ClusterInstances>(instance_manager::ClusterInstancesSettings{},
                                                                      *commander_, *router_, *executor_);
    TCFDL_ASSIGN(drained_, DrainedNodes::open(*database_, *instances_));
    scaling_ = std::make_unique<MasterScaling>(config_.autoscaling, *tasks_, *instances_);
    functions_ = std::make_unique<MasterFunctions>(*function_manager_, *instances_, *tasks_, *scaling_, *audit_);
    router_->on_trials([this](const instance_manager::TrialEnd& end) { functions_->trial_ended(end); });
    TCFDL_TRY(functions_->restore());
    instances_->expect_nodes(credentials_->workers());
    instances_->start();
    stops_.add([this] { instances_->stop(); });
    tasks_->on_waiting([this](const FunctionName& name) { scaling_->wake(name); });
    tasks_->on_unaccepted([this](const NodeId& node) { instances_->suspect_node(node); });
    scaling_->start();
    stops_.add([this] { scaling_->stop(); });
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
    settings.spans = spans_.get();
    const auto environment = host_environment(settings);
    host_ = std::make_unique<Host>(std::move(settings), *bus_, *proxy_, fetch_from(*files_));
    if (kept_.gateway) {
      TCFDL_ASSIGN(auto program, program_beside_this("tcfdl-gateway"));
      gateway_ = std::make_unique<GatewayKeeper>(GatewaySettings{std::move(program), config_.host.state,
                                                                 "gateway-" + config_.host.node, *kept_.gateway,
                                                                 kept_.gateway_token, environment},
                                                 *proxy_);
    }
    events_.connect(service_manager_.get(), host_.get(), gateway_.get());
    TCFDL_TRY(host_->start());
    stops_.add([this] { host_->stop(); });
    return {};
  }

  void add_figures(metrics::Page& page) {
    add_tasks(page, *tasks_);
    add_cluster(page, instances_->view(), scaling_->view());
    add_host(page, *host_, *proxy_);
    add_spans(page, spans_.get());
    door_->put_on(page);
    api_requests_.put_on(page, "tcfdl_http_requests_total", "Requests that an HTTP server answered.", "method",
                         "status", {{"server", "api"}});
    page.add_process();
  }

  Result<wire::AuthorityReply> renew_certificate(const std::string& client) {
    wire::AuthorityRequest request;
    request.mutable_renew_certificate()->set_client(client);
    return service_manager_->ask(request, Deadline::after(seconds(5)));
  }

  Status wire_topics() {
    auto kept = config_.topics;
    kept.file = config_.host.state / "topics.sqlite";
    TCFDL_ASSIGN(journal_, topics::Journal::open(std::move(kept), unix_millis));
    TCFDL_ASSIGN(const auto boot, read_file("/proc/sys/kernel/random/boot_id", 64));
    topics_ =
        std::make_unique<topics::Topics>(topics::TopicsSettings{.boot = std::string(as_text(boot)),
                                                                .queue_deaths = [this] { return server_->restarts(); }},
                                         *journal_, *bus_);
    topic_door_ = std::make_unique<TopicDoor>(
        TopicDoorParts{*topics_, *registry_, identity_->certificate, identity_->authority, clock_}, config_.cluster);
    topic_api_ = std::make_unique<TopicApi>(*topic_door_, *topics_);
    TCFDL_TRY(topics_->start());
    return {};
  }

  Status wire_doors() {
    std::optional<NetworkDoor> network;
    if (const auto& there = kept_.network_tasks; there.tls) {
      network = NetworkDoor{wire::TcpAddress{there.host, there.port}, [tls = server_tls_] { return tls->context(); }};
    }
    TaskDoorSettings door{wire::TcpAddress{kept_.tasks.host, kept_.tasks.port},
                          std::move(network),
                          kept_.tasks_token,
                          config_.cluster,
                          config_.host.node,
                          identity_->proxy_certificate,
                          config_.call_rate,
                          entrance_.root};
    auto stored = config_.async_tasks;
    stored.directory = config_.host.state / "tasks";
    TCFDL_ASSIGN(async_, AsyncTasks::open(*database_, std::move(stored), config_.callbacks, config_.cluster,
                                          {*tasks_, *host_, identity_->signing, identity_->certificate}));
    TCFDL_ASSIGN(cron_, CronTriggers::open(*database_, *function_manager_, *async_, config_.cluster,
                                           wire::field(identity_->signing.public_key().bytes()), clock_));
    TCFDL_TRY(wire_topics());
    certificates_ =
        std::make_unique<ClientCertificates>([this](const std::string& client) { return renew_certificate(client); },
                                             identity_->authority, revocations_->known(), clock_);
    TCFDL_ASSIGN(door_, TaskDoor::start(std::move(door), {*tasks_, *links_, *files_, *proxy_, *host_, *bus_, *audit_,
                                                          identity_->authority, revocations_->known(), *certificates_,
                                                          *async_, *topic_door_, clock_, spans_.get()}));
    stops_.add([this] { door_->stop(); });
    stops_.add([this] { topics_->stop(); }); // first: whoever waits for messages lets go of the door
    stops_.add([this] { tasks_->stop(); });  // first: whoever waits for a lease lets go of the door
    TCFDL_TRY(async_->start());
    stops_.add([this] { async_->stop(); }); // its tasks go on after a restart, rather than to hear that this stops
    wire_triggers();
    if (gateway_) {
      TCFDL_TRY(gateway_->start());
      stops_.add([this] { gateway_->stop(); });
    }
    return wire_api();
  }

  void wire_triggers() {
    triggers_ = std::make_unique<TopicTriggers>(TopicTriggerParts{*topics_, async_->leases(), async_->instances(),
                                                                  config_.cluster,
                                                                  wire::field(identity_->signing.public_key().bytes())},
                                                *function_manager_);
    triggers_->start();
    stops_.add([this] { triggers_->stop(); });
    cron_->start();
    stops_.add([this] { cron_->stop(); });
  }

  Status wire_api() {
    api_ = std::make_unique<MasterApi>(MasterApiParts{config_.cluster,
                                                      config_.host.node,
                                                      *functions_,
                                                      *function_manager_,
                                                      *instances_,
                                                      *drained_,
                                                      *tasks_,
                                                      *scaling_,
                                                      *links_,
                                                      *commander_,
                                                      *files_,
                                                      *access_,
                                                      *audit_,
                                                      *certificates_,
                                                      *service_manager_,
                                                      *service_manager_bus_,
                                                      [this](UnixSeconds expires) { return worker_entrance(expires); },
                                                      client_entrance(),
                                                      [this](const std::string& node) { return revoke(node); },
                                                      [this](metrics::Page& page) { add_figures(page); },
                                                      *topic_api_,
                                                      *cron_});
    api_service::Settings settings;
    settings.server.address = kept_.api.host;
    settings.server.port = kept_.api.port;
    settings.server.authenticate = authenticate_with(*access_);
    if (kept_.api.tls) {
      settings.server.tls = server_tls_;
      settings.server.identify =
          identify_with(*access_, {identity_->authority, config_.cluster, revocations_->known(), clock_});
    }
    settings.server.on_answered = [this, record = record_in(*audit_)](const http::Answered& answered) {
      api_requests_.add(method_label(answered.method), std::to_string(answered.status));
      record(answered);
    };
    settings.server.requests_per_second = config_.api_rate;
    settings.cluster = config_.cluster;
    settings.gateway_url = gateway_url();
    api_service_ = std::make_unique<api_service::ApiService>(std::move(settings), api_->ports());
    TCFDL_TRY(api_service_->start());
    stops_.add([this] { api_service_->stop(); });
    functions_->start();
    stops_.add([this] { functions_->stop(); });
    renew_certificates();
    return {};
  }

  const MasterConfig& config_;
  const SystemClock clock_;
  const task_manager::SystemTimeSource time_;
  std::unique_ptr<NodeState> state_;
  std::unique_ptr<wire::SpanBuffer> spans_; // null: none are wanted. Outlives all that have any
  MasterKept kept_;
  NodeEntrance entrance_;
  MasterEvents events_;
  std::shared_ptr<const crypto::SecretBytes> tls_key_pem_;
  std::shared_ptr<crypto::ServerTls> server_tls_;
  std::unique_ptr<CredentialKeeper> keeper_;
  std::unique_ptr<ClusterCredentials> credentials_;
  std::unique_ptr<message_queue::EmbeddedServer> server_;
  std::unique_ptr<message_queue::NatsBus> bus_;
  std::unique_ptr<message_queue::NatsBus> service_manager_bus_;
  std::unique_ptr<RevocationRelay> revocations_;
  std::unique_ptr<ProxyProcess> proxy_;
  std::unique_ptr<NodeIdentity> identity_;
  std::optional<Renewal> renewal_;
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
  std::unique_ptr<NodeCommander> commander_;
  std::unique_ptr<NodeRecalls> recalls_;
  std::unique_ptr<task_manager::TaskManager> tasks_;
  std::unique_ptr<InstanceRouter> router_;
  std::unique_ptr<instance_manager::PoolExecutor> executor_;
  std::unique_ptr<instance_manager::ClusterInstances> instances_;
  std::unique_ptr<DrainedNodes> drained_;
  std::unique_ptr<MasterScaling> scaling_;
  std::unique_ptr<MasterFunctions> functions_;
  std::unique_ptr<NodeReports> reports_;
  std::unique_ptr<LeasesForPeers> local_tasks_;
  std::optional<collaboration::LinkService> link_service_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<GatewayKeeper> gateway_; // nullptr where the cluster has none
  std::unique_ptr<AsyncTasks> async_;
  std::unique_ptr<topics::Journal> journal_;
  std::unique_ptr<topics::Topics> topics_;
  std::unique_ptr<TopicDoor> topic_door_;
  std::unique_ptr<TopicApi> topic_api_;
  std::unique_ptr<TopicTriggers> triggers_;
  std::unique_ptr<CronTriggers> cron_;
  std::unique_ptr<ClientCertificates> certificates_;
  std::unique_ptr<TaskDoor> door_;
  metrics::Tally api_requests_;
  std::unique_ptr<MasterApi> api_;
  std::unique_ptr<api_service::ApiService> api_service_;
  StopOrder stops_;
};

} // namespace

int run_master(const std::string& config) {
  return run_daemon("master", [&]() -> Status {
    TCFDL_ASSIGN(const auto parsed, MasterConfig::read(config));
    start_logging(parsed.host.observation.logs("master", parsed.host.node));
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
