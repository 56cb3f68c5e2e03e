// The worker as a daemon.
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "collaboration/subjects.hpp"
#include "node/credential_keeper.hpp"
#include "node/daemon.hpp"
#include "node/enrolment_bus.hpp"
#include "node/fetch.hpp"
#include "node/figures.hpp"
#include "node/host.hpp"
#include "node/identity.hpp"
#include "node/metrics_server.hpp"
#include "node/run.hpp"
#include "node/span_export.hpp"
#include "node/task_streams.hpp"
#include "sdk/task_manager_client.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

/// Wires the proxy's events: exits to the host, requests to the authority by way of the master.
class WorkerEvents final : public ProxyEvents {
public:
  explicit WorkerEvents(std::string node) : node_(std::move(node)) {}
  void connect(message_queue::Bus* bus, Host* host) {
    const std::scoped_lock lock(mutex_);
    bus_ = bus;
    host_ = host;
  }
  void on_exited(const wire::InstanceExited& event) override {
    const std::scoped_lock lock(mutex_);
    if (host_ != nullptr) host_->on_exited(event);
  }
  void on_spans(const wire::Spans& spans) override {
    const std::scoped_lock lock(mutex_);
    if (host_ != nullptr) host_->on_spans(spans);
  }
  void on_restarted() override {
    const std::scoped_lock lock(mutex_);
    if (host_ != nullptr) host_->on_proxy_restarted();
  }
  Result<Bytes> on_authority(BytesView request, Deadline deadline) override {
    wire::NodeReport report;
    report.set_node(node_);
    report.set_authority(wire::field(request));
    message_queue::Bus* bus = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      bus = bus_;
    }
    if (bus == nullptr) return Error(Code::kUnavailable, "the worker is starting or stopping");
    return bus->request(collaboration::report_subject(node_, "authority"), wire::serialize(report),
                        deadline.earlier(Deadline::after(seconds(15))));
  }

private:
  std::string node_;
  std::mutex mutex_;
  message_queue::Bus* bus_ = nullptr; // guarded by mutex_, as is the next
  Host* host_ = nullptr;
};

/// Events reach the host while this lives.
class HostConnection {
public:
  HostConnection(WorkerEvents& events, message_queue::Bus& bus, Host& host) : events_(events) {
    events_.connect(&bus, &host);
  }
  HostConnection(const HostConnection&) = delete;
  HostConnection& operator=(const HostConnection&) = delete;
  ~HostConnection() { events_.connect(nullptr, nullptr); }

private:
  WorkerEvents& events_;
};

/// Ends renewals before the connection that they use.
class CredentialRenewal {
public:
  explicit CredentialRenewal(CredentialKeeper& keeper) : keeper_(keeper) {}
  CredentialRenewal(const CredentialRenewal&) = delete;
  CredentialRenewal& operator=(const CredentialRenewal&) = delete;
  ~CredentialRenewal() { keeper_.stop(); }

private:
  CredentialKeeper& keeper_;
};

/// By way of the master, as the proxy's requests.
AskAuthority ask_authority(WorkerEvents& events) {
  return [&events](const wire::AuthorityRequest& request, Deadline deadline) -> Result<wire::AuthorityReply> {
    TCFDL_ASSIGN(const auto reply, events.on_authority(wire::serialize(request), deadline));
    return wire::parse<wire::AuthorityReply>(reply);
  };
}

/// Where this machine reaches the task manager: by a relay for a master on another one.
Result<std::string> find_tasks(const HostConfig& config, NodeState& state, const NodeIdentity& identity,
                               message_queue::NatsBus& bus, std::unique_ptr<wire::Listener>& relay) {
  if (!identity.entrance.tasks.empty()) return identity.entrance.tasks;
  TCFDL_ASSIGN(const auto here, local_address(config, state, "tasks"));
  TCFDL_ASSIGN(relay, relay_tasks(bus, config.node, here));
  return wire::to_string(relay->address());
}

Result<HostSettings> settings_of_host(const HostConfig& config, NodeState& state, const NodeIdentity& identity,
                                      const std::string& tasks) {
  HostSettings settings;
  settings.config = config;
  settings.role = "worker";
  settings.cluster = identity.entrance.cluster;
  TCFDL_ASSIGN(settings.agent, local_address(config, state, "agent"));
  settings.tasks = tasks;
  settings.tasks_token = identity.entrance.tasks_token;
  settings.proxy_certificate = identity.proxy_certificate;
  return settings;
}

/// Parts stop in the reverse order of their start: each stops when it goes.
Status serve(const WorkerConfig& config) {
  TCFDL_ASSIGN(auto state, NodeState::open(config.host.state));
  TCFDL_ASSIGN(auto entrance, read_entrance(config.host, state));
  std::unique_ptr<message_queue::NatsBus> bus; // outlives the proxy, whose requests travel over it
  WorkerEvents events(config.host.node);
  TCFDL_ASSIGN(const auto spans, start_span_export(config.host.observation.tracing, "worker/" + config.host.node));
  TCFDL_ASSIGN(auto settings, proxy_settings(config.host, state));
  ProxyProcess proxy(std::move(settings), events);
  TCFDL_TRY(proxy.start());
  auto enrolment = std::make_unique<EnrolmentBus>(entrance);
  TCFDL_ASSIGN(const auto identity,
               obtain_identity(config.host, state, entrance, wire::ROLE_WORKER, proxy, [&](BytesView request) {
                 return enrolment->request(collaboration::kEnrolSubject, request, Deadline::after(seconds(20)));
               }));
  const SystemClock clock;
  const auto ask_first = [&](const auto& request, Deadline deadline) -> Result<collaboration::CredentialReply> {
    TCFDL_ASSIGN(auto* channel, enrolment->get());
    return ask_over(*channel, collaboration::kCredentialSubject, identity.signing, identity.certificate,
                    clock)(request, deadline);
  };
  TCFDL_ASSIGN(auto user_key, state.nats_key("nats_user", message_queue::NkeyKind::kUser));
  TCFDL_ASSIGN(const auto keeper,
               CredentialKeeper::open({config.host.state / "nats_credential"}, std::move(user_key), ask_first, clock));
  enrolment.reset();
  auto own = entrance.bus(config.host.node, keeper->credential());
  own.ping_interval = std::chrono::minutes(5); // as rare as an idle node's heartbeats
  TCFDL_ASSIGN(bus, message_queue::NatsBus::connect(own));
  std::unique_ptr<wire::Listener> tasks_relay;
  TCFDL_ASSIGN(const auto tasks_address, find_tasks(config.host, state, identity, *bus, tasks_relay));
  TCFDL_ASSIGN(auto tasks, wire::parse_address(tasks_address));
  TCFDL_ASSIGN(const auto caller, caller_identity(config.host.node, identity));
  sdk::TaskManagerClient master(sdk::connector_to(std::move(tasks)), identity.entrance.tasks_token, caller);

  TCFDL_ASSIGN(auto host_settings, settings_of_host(config.host, state, identity, tasks_address));
  host_settings.spans = spans.get();
  Host host(std::move(host_settings), *bus, proxy, fetch_from(master));
  const HostConnection connection(events, *bus, host);
  TCFDL_TRY(host.start());
  TCFDL_ASSIGN(const auto figures,
               MetricsServer::start(config.host.observation.metrics, state, [&](metrics::Page& page) {
                 add_host(page, host, proxy);
                 add_spans(page, spans.get());
               }));
  keeper->start(ask_over(*bus, collaboration::kCredentialSubject, identity.signing, identity.certificate, clock), {});
  const CredentialRenewal renewal(*keeper);
  const Renewal certificates(
      {.what = "the node's certificate"}, clock, [&] { return identity.certificate.lifetime(); },
      [&] { return renew_identity(config.host, state, identity, proxy, ask_authority(events), clock); });
  ReadyFile ready(config.host.ready_file);
  nlohmann::json content{{"pid", ::getpid()}, {"node", config.host.node}, {"cluster", identity.entrance.cluster}};
  if (figures) figures->describe(content);
  TCFDL_TRY(ready.write(content));
  spdlog::info("ready: worker {} of cluster {}", config.host.node, identity.entrance.cluster);
  wait_for_stop();
  return {};
}

} // namespace

int run_worker(const std::string& config) {
  return run_daemon("worker", [&]() -> Status {
    TCFDL_ASSIGN(const auto parsed, WorkerConfig::read(config));
    start_logging(parsed.host.observation.logs("worker", parsed.host.node));
    return serve(parsed);
  });
}

} // namespace tcfdl::node
