#include "node/host.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/log_file.hpp"
#include "collaboration/subjects.hpp"
#include "crypto/hash.hpp"
#include "instance_manager/system_status.hpp"
#include "node/proxy_hop.hpp"

#include <csignal>
#include <random>
#include <sys/stat.h>

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kWholeEvery = 12; ///< heartbeats of an idle node
constexpr std::size_t kLaunchThreads = 4;
constexpr std::size_t kMostEvents = 65536;

} // namespace

Result<std::filesystem::path> program_beside_this(const std::string& name) {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return make_error(Code::kInternal, "cannot find the running program: {}", failure.message());
  return self.parent_path() / name;
}

std::map<std::string, std::string> host_environment(const HostSettings& settings) {
  std::map<std::string, std::string> environment{
      {"TCFDL_CLUSTER", settings.cluster},
      {"TCFDL_NODE", settings.config.node},
      {"TCFDL_AGENT", wire::to_string(settings.agent)},
      {"TCFDL_TASKS", settings.tasks},
      {"TCFDL_TASKS_TOKEN", settings.tasks_token},
      {"TCFDL_LOG_LEVEL", settings.config.observation.log_level},
      {"TCFDL_LOG_FORMAT", std::string(log_format_name(settings.config.observation.log_format))}};
  const auto& tracing = settings.config.observation.tracing;
  if (!tracing.endpoint.empty()) environment["TCFDL_TRACING"] = fmt::format("{}", tracing.sampling);
  const auto& reached_at = settings.config.instance_address;
  if (!reached_at.empty()) environment["TCFDL_LISTEN"] = reached_at;
  if (!settings.config.instance_ports.empty()) environment["TCFDL_LISTEN_PORTS"] = settings.config.instance_ports;
  if (!settings.config.local_tcp) environment["TCFDL_RUN_DIR"] = runtime_directory(settings.config.state).string();
  return environment;
}

std::filesystem::path runtime_directory(const std::filesystem::path& state) {
  const auto digest = to_hex(crypto::sha256(as_bytes(std::filesystem::absolute(state).string())));
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const auto base =
      runtime != nullptr && *runtime == '/' ? std::filesystem::path(runtime) : std::filesystem::temp_directory_path();
  return base / fmt::format("tcfdl-{}-{}", ::getuid(), digest.substr(0, 16)) / "s";
}

Status make_runtime_directory(const std::filesystem::path& state) {
  const auto directory = runtime_directory(state);
  TCFDL_TRY(make_private_directory(directory.parent_path()));
  struct stat info{};
  if (::lstat(directory.parent_path().c_str(), &info) != 0 || info.st_uid != ::geteuid() || !S_ISDIR(info.st_mode) ||
      (info.st_mode & 0077U) != 0) {
    return make_error(Code::kPermissionDenied, "{} is not this user's alone; remove it",
                      directory.parent_path().string());
  }
  TCFDL_TRY(make_private_directory(directory));
  if (::chmod(directory.c_str(), 0755) != 0) return errno_error("cannot set the mode of", directory);
  return {};
}

Result<wire::Address> local_address(const HostConfig& config, NodeState& state, const std::string& name) {
  if (config.local_tcp) {
    TCFDL_ASSIGN(const auto port, state.port(name + "_port", 0));
    return wire::Address(wire::TcpAddress{"127.0.0.1", port});
  }
  TCFDL_TRY(make_runtime_directory(config.state));
  return wire::parse_address(fmt::format("unix:{}/{}.sock", runtime_directory(config.state).string(), name));
}

Result<ProxyProcessSettings> proxy_settings(const HostConfig& config, NodeState& state) {
  ProxyProcessSettings settings{.command = {},
                                .log = config.state / "proxy.log",
                                .node = config.node,
                                .instances = {},
                                .over_tcp = config.local_tcp};
  TCFDL_ASSIGN(settings.instances, local_address(config, state, "proxy"));
  if (config.gramine) {
    settings.command = {config.gramine->launcher, config.gramine->proxy.string()};
    return settings;
  }
  TCFDL_ASSIGN(const auto program, program_beside_this("tcfdl-proxy"));
  settings.command = {program.string(),
                      "--state",
                      (config.state / "proxy").string(),
                      "--tee",
                      config.tee,
                      "--require",
                      fmt::to_string(fmt::join(config.required_layers, ",")),
                      "--log-level",
                      config.observation.log_level,
                      "--log-format",
                      std::string(log_format_name(config.observation.log_format)),
                      "--tracing",
                      config.observation.tracing.endpoint.empty() ? "off" : "on"};
  if (!config.attestation_root.empty()) {
    settings.command.insert(settings.command.end(), {"--attestation-root", config.attestation_root.string()});
  }
  return settings;
}

instance_manager::NodeInstancesSettings Host::instance_settings(const HostSettings& settings) {
  instance_manager::NodeInstancesSettings result;
  result.log_directory = settings.config.state / "instances";
  result.environment = host_environment(settings);
  return result;
}

/// The TEE kind in the proxy's certificate, which was checked when the node took it.
static std::string certified_tee_kind(const wire::Signed& certificate) {
  const auto parsed = wire::parse<wire::Certificate>(certificate.statement());
  return parsed ? parsed->tee_kind() : std::string();
}

Host::Host(HostSettings settings, message_queue::Bus& bus, ProxyProcess& proxy, FetchFile fetch)
    : settings_(std::move(settings)), boot_(std::random_device()()),
      tee_kind_(certified_tee_kind(settings_.proxy_certificate.get())), bus_(bus), proxy_(proxy),
      bundles_(settings_.config.state / "store", std::move(fetch)), executor_(kLaunchThreads),
      instances_(instance_settings(settings_), proxy, bundles_, *this, executor_), agents_(instances_) {}

Status Host::start() {
  TCFDL_TRY(make_private_directory(settings_.config.state / "instances"));
  TCFDL_ASSIGN(agent_listener_,
               wire::Listener::start(settings_.agent, {.name = "agent"},
                                     [this](wire::Connection& connection) { agents_.serve(connection); }));
  instances_.start();
  TCFDL_ASSIGN(relay_, collaboration::RelayServer::start(bus_, settings_.config.node,
                                                         [this](const auto& relay) { return open(relay); }));
  TCFDL_ASSIGN(commands_, bus_.serve(collaboration::command_subject(settings_.config.node),
                                     [this](BytesView bytes) { return handle_command(bytes); }));
  auto told = bus_.subscribe(collaboration::kRevocationsSubject,
                             [this](const auto& message) { handle_revocations(message.data); });
  if (told) {
    revocations_ = *std::move(told);
  } else { // its credential is of an older program
    spdlog::warn("no revocation lists come until the NATS credential is renewed: {}", told.error().message());
  }
  // Nobody knows what was told in vain meanwhile.
  bus_.on_state([this](message_queue::BusState state) {
    if (state == message_queue::BusState::kConnected) instances_changed();
  });
  reporter_ = std::thread([this] { report_loop(); });
  return {};
}

void Host::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  bus_.on_state({});
  commands_.reset();
  revocations_.reset();
  relay_.reset();
  instances_.stop();
  agent_listener_.reset();
  executor_.stop();
  wake_.notify_all();
  if (reporter_.joinable()) reporter_.join();
  std::error_code ignored;
  std::filesystem::remove_all(runtime_directory(settings_.config.state).parent_path(), ignored);
}

void Host::on_proxy_restarted() {
  for (const auto& instance : instances_.status()) {
    wire::InstanceExited gone;
    gone.set_instance(instance.instance());
    gone.set_status(SIGKILL);
    instances_.exited(gone);
  }
}

void Host::instances_changed() {
  const std::scoped_lock lock(mutex_);
  changed_ = true;
  wake_.notify_all();
}

void Host::task_event(const wire::TaskEvent& event) {
  const std::scoped_lock lock(mutex_);
  if (events_.size() < kMostEvents) events_.push_back(event);
  wake_.notify_all();
}

void Host::spans(const InstanceId& instance, const wire::Spans& spans) {
  if (settings_.spans != nullptr) settings_.spans->take("instance/" + instance.str(), spans);
}

void Host::on_spans(const wire::Spans& spans) {
  if (settings_.spans != nullptr) settings_.spans->take("proxy/" + settings_.config.node, spans);
}

void Host::report_loop() {
  // The heartbeat has a time of its own: however many tasks there are to report, it is sent.
  std::chrono::milliseconds told{0};
  for (auto next = Deadline::after(told);;) {
    std::vector<wire::TaskEvent> events;
    bool is_changed = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, next.when(), [this] { return stopping_ || changed_ || !events_.empty(); });
      if (stopping_) return;
      events.swap(events_);
      is_changed = std::exchange(changed_, false);
    }
    const bool has_tasks = !events.empty() || !running_.empty();
    if (!events.empty()) send_events(std::move(events));
    const auto now = Deadline::Clock::now();
    if (has_tasks || is_changed) pace_.stir(now);
    const auto period = pace_.period(now);
    // Whoever was told to expect nothing for minutes is told at once that there is something again.
    if (!is_changed && !next.expired() && period >= told) continue;
    send_status(period, is_changed || !pace_.is_idle(now));
    told = period;
    next = Deadline::after(period);
  }
}

void Host::send_events(std::vector<wire::TaskEvent> events) {
  wire::NodeReport report;
  report.set_node(settings_.config.node);
  for (auto& event : events) {
    if (event.started()) running_.insert_or_assign(event.lease_id(), event.instance());
    if (event.done()) running_.erase(event.lease_id());
    *report.mutable_tasks()->add_events() = std::move(event);
  }
  const auto sent =
      bus_.publish(collaboration::report_subject(settings_.config.node, "events"), wire::serialize(report));
  if (!sent) spdlog::debug("cannot report tasks: {}", sent.error().message());
}

/// Without `whole`, the status is left out where it would say what was said before but for figures that drift.
void Host::send_status(milliseconds next_within, bool whole) {
  wire::NodeReport report;
  report.set_node(settings_.config.node);
  *report.mutable_status() = status();
  auto steady = report.status();
  steady.clear_memory_available();
  steady.clear_load();
  steady.clear_labels(); // the same in each run, in any order
  for (auto& instance : *steady.mutable_instances()) {
    instance.clear_rss();
    instance.clear_memory();
    instance.clear_processes();
    instance.clear_cpu_us();
  }
  auto said = steady.SerializeAsString();
  const bool is_news = said != told_;
  told_ = std::move(said);
  if (!whole && !is_news && ++unchanged_since_ < kWholeEvery) {
    report.mutable_status()->Clear();
    report.mutable_status()->set_node(settings_.config.node);
    report.mutable_status()->set_unchanged(true);
  } else {
    unchanged_since_ = 0;
  }
  report.mutable_status()->set_next_within_ms(static_cast<std::uint32_t>(next_within.count()));
  if (const auto bounded = bound_log_file(settings_.config.state / "proxy.log"); !bounded) {
    spdlog::warn("{}", bounded.error().to_string());
  }
  const auto sent =
      bus_.publish(collaboration::report_subject(settings_.config.node, "status"), wire::serialize(report));
  if (!sent) spdlog::debug("cannot report: {}", sent.error().message());
}

wire::NodeStatus Host::status() {
  wire::NodeStatus status;
  status.set_node(settings_.config.node);
  status.set_role(settings_.role);
  status.set_tee_kind(settings_.hosts ? tee_kind_ : "");
  status.set_pid(static_cast<std::uint32_t>(::getpid()));
  status.set_boot(boot_);
  *status.mutable_proxy_certificate() = settings_.proxy_certificate.get();
  instance_manager::fill_system_status(status);
  for (const auto& [name, value] : settings_.config.labels) (*status.mutable_labels())[name] = value;
  const auto configured = settings_.config.enclave_memory;
  status.set_enclave_memory(configured > 0 ? configured : instance_manager::enclave_bytes(status));
  for (const auto& layer : proxy_.layers()) status.add_layers(layer);
  status.set_revocations(proxy_.revocation_number());
  for (auto& slot : proxy_.slots()) *status.add_slots() = std::move(slot);
  std::set<std::string> present;
  for (auto& instance : instances_.status()) {
    present.insert(instance.instance());
    *status.add_instances() = std::move(instance);
  }
  std::erase_if(running_, [&](const auto& task) { return !present.contains(task.second); });
  for (const auto& [lease, instance] : running_) status.add_running(lease);
  return status;
}

Result<Bytes> Host::handle_command(BytesView bytes) {
  TCFDL_ASSIGN(const auto command, wire::parse<wire::NodeCommand>(bytes));
  wire::NodeCommandReply reply;
  if (command.has_start()) {
    TCFDL_TRY(instances_.start_instance(command.start()));
  } else if (command.has_stop()) {
    instances_.stop_instance(command.stop());
  } else if (command.has_logs()) {
    *reply.mutable_logs() = instances_.read_logs(command.logs());
  } else if (command.has_report()) {
    instances_changed();
  } else if (command.has_recall()) {
    instances_.recall_burst(command.recall());
  } else {
    return Error(Code::kUnimplemented, "this node does not know the command");
  }
  return wire::serialize(reply);
}

/// The proxy checks the list; the master tells it again while the heartbeat says that the proxy has an older one.
void Host::handle_revocations(BytesView bytes) {
  const auto list = wire::parse<wire::Signed>(bytes);
  if (!list) return;
  const auto taken = proxy_.set_revocations(*list);
  if (!taken) spdlog::warn("the TEE proxy does not take a revocation list: {}", taken.error().message());
  instances_changed();
}

Result<std::unique_ptr<wire::Connection>> Host::open(const wire::OpenRelay& relay) {
  const auto parent = TraceContext::parse(relay.traceparent());
  wire::OpenSpan span(settings_.spans, parent.value_or(TraceContext()), "open relay", wire::SPAN_KIND_SERVER);
  if (!span.records()) return open_onward(relay);
  auto within = relay;
  within.set_traceparent(span.context().traceparent());
  span.set("instance", relay.instance());
  auto opened = open_onward(within);
  span.set_outcome(opened ? Status() : Status(opened.error()));
  return opened;
}

Result<std::unique_ptr<wire::Connection>> Host::open_onward(const wire::OpenRelay& relay) {
  const auto deadline = Deadline::after(seconds(10));
  auto onward = relay.node() == settings_.config.node ? open_instance(relay.instance()) : open_node(relay, deadline);
  if (!onward || !relay.through_proxies()) return onward;
  return through_proxy(proxy_.address(), *std::move(onward), deadline);
}

/// The next node: a master's worker.
Result<std::unique_ptr<wire::Connection>> Host::open_node(const wire::OpenRelay& relay, Deadline deadline) {
  if (settings_.role != "master" || relay.cluster() != settings_.cluster) {
    return make_error(Code::kNotFound, "no way leads from {} to {} of {}", settings_.config.node, relay.node(),
                      relay.cluster());
  }
  TCFDL_TRY(check_label(relay.node(), "node"));
  TCFDL_ASSIGN(auto stream,
               message_queue::open_stream(bus_, collaboration::relay_subject(relay.node()), wire::serialize(relay),
                                          deadline, collaboration::relay_stream(relay.node(), settings_.config.node)));
  return std::make_unique<collaboration::StreamConnection>(std::move(stream));
}

Result<std::unique_ptr<wire::Connection>> Host::open_instance(const std::string& instance) {
  for (const auto& known : instances_.status()) {
    if (known.instance() != instance || known.addresses().empty()) continue;
    TCFDL_ASSIGN(const auto address, wire::parse_address(known.addresses(0)));
    TCFDL_ASSIGN(auto connection, wire::connect(address, Deadline::after(seconds(5))));
    return std::unique_ptr<wire::Connection>(std::move(connection));
  }
  return make_error(Code::kNotFound, "{} is not on this node", instance);
}

} // namespace tcfdl::node
