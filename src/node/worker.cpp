// The worker as a daemon.
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "collaboration/subjects.hpp"
#include "node/daemon.hpp"
#include "node/fetch.hpp"
#include "node/host.hpp"
#include "node/identity.hpp"
#include "node/run.hpp"
#include "sdk/task_manager_client.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

/// Wires the proxy's events: exits to the host, requests to the authority by way of the master.
class WorkerEvents final : public ProxyEvents {
public:
  WorkerEvents(std::string node, message_queue::Bus& bus) : node_(std::move(node)), bus_(bus) {}
  void set_host(Host* host) {
    const std::scoped_lock lock(mutex_);
    host_ = host;
  }
  void on_exited(const wire::InstanceExited& event) override {
    const std::scoped_lock lock(mutex_);
    if (host_ != nullptr) host_->on_exited(event);
  }
  void on_restarted() override {
    const std::scoped_lock lock(mutex_);
    if (host_ != nullptr) host_->on_proxy_restarted();
  }
  Result<Bytes> on_authority(BytesView request) override {
    wire::NodeReport report;
    report.set_node(node_);
    report.set_authority(wire::field(request));
    return bus_.request(collaboration::kReportSubject, wire::serialize(report), Deadline::after(seconds(15)));
  }

private:
  std::string node_;
  message_queue::Bus& bus_;
  std::mutex mutex_;
  Host* host_ = nullptr; // guarded by mutex_
};

/// Events reach the host while this lives.
class HostConnection {
public:
  HostConnection(WorkerEvents& events, Host& host) : events_(events) { events_.set_host(&host); }
  HostConnection(const HostConnection&) = delete;
  HostConnection& operator=(const HostConnection&) = delete;
  ~HostConnection() { events_.set_host(nullptr); }

private:
  WorkerEvents& events_;
};

/// Parts stop in the reverse order of their start: each stops when it goes.
Status serve(const WorkerConfig& config) {
  TCFDL_ASSIGN(auto state, NodeState::open(config.host.state));
  TCFDL_ASSIGN(auto entrance, read_entrance(config.host, state));
  TCFDL_ASSIGN(const auto bus, message_queue::NatsBus::connect(entrance.bus(config.host.node)));
  WorkerEvents events(config.host.node, *bus);
  TCFDL_ASSIGN(auto settings, proxy_settings(config.host, state));
  ProxyProcess proxy(std::move(settings), events);
  TCFDL_TRY(proxy.start());
  TCFDL_ASSIGN(
      const auto identity,
      obtain_identity(config.host, state, std::move(entrance), wire::ROLE_WORKER, proxy, [&](BytesView request) {
        return bus->request(collaboration::kEnrolSubject, request, Deadline::after(seconds(20)));
      }));
  TCFDL_ASSIGN(auto tasks, wire::parse_address(identity.entrance.tasks));
  TCFDL_ASSIGN(const auto caller, caller_identity(config.host.node, identity));
  sdk::TaskManagerClient master(std::move(tasks), identity.entrance.tasks_token, caller);

  HostSettings host_settings;
  host_settings.config = config.host;
  host_settings.role = "worker";
  host_settings.cluster = identity.entrance.cluster;
  TCFDL_ASSIGN(host_settings.agent, local_address(config.host, state, "agent"));
  host_settings.tasks = identity.entrance.tasks;
  host_settings.tasks_token = identity.entrance.tasks_token;
  host_settings.proxy_certificate = identity.proxy_certificate;
  Host host(std::move(host_settings), *bus, proxy, fetch_from(master));
  const HostConnection connection(events, host);
  TCFDL_TRY(host.start());
  ReadyFile ready(config.host.ready_file);
  TCFDL_TRY(ready.write({{"pid", ::getpid()}, {"node", config.host.node}, {"cluster", identity.entrance.cluster}}));
  spdlog::info("ready: worker {} of cluster {}", config.host.node, identity.entrance.cluster);
  wait_for_stop();
  return {};
}

} // namespace

int run_worker(const std::string& config) {
  return run_daemon("worker", [&]() -> Status {
    TCFDL_ASSIGN(const auto parsed, WorkerConfig::read(config));
    start_logging(parsed.host.node, parsed.host.log_level);
    return serve(parsed);
  });
}

} // namespace tcfdl::node
