#include "node/config.hpp"

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/units.hpp"
#include "crypto/tls_certificate.hpp"
#include "http/url.hpp"
#include "message_queue/server_config.hpp"
#include "node/caller_shares.hpp"
#include "tee/gramine_attester.hpp"
#include "tee/layers.hpp"
#include "wire/address.hpp"

namespace tcfdl::node {
namespace {

constexpr const char* kNoProgramsInEnclaves =
    "a proxy in an SGX enclave starts no programs, so a node with tee: gramine is a master with host_instances: false "
    "and gateway: none (docs/tee.md)";

Result<ConfigMapping> open(const std::filesystem::path& file) {
  TCFDL_ASSIGN(const auto text, read_text_file(file, std::size_t{1} << 20U));
  return ConfigMapping::parse(text, file.string());
}

/// `KEY` and `KEY_tls`.
ListenAddress listen_address(ConfigMapping& config, const std::string& key) {
  const auto text = config.text_or(key, "127.0.0.1:0");
  const auto parsed = wire::parse_address("tcp:" + text);
  if (!parsed) {
    config.refuse(key, fmt::format("'{}' is no address and port, as 127.0.0.1:0", text));
    return {};
  }
  const auto& tcp = std::get<wire::TcpAddress>(*parsed);
  const bool loopback = wire::is_loopback(tcp);
  const bool tls = config.boolean_or(key + "_tls", !loopback);
  if (!loopback && !tls) config.refuse(key + "_tls", fmt::format("{} is not served without TLS", tcp.host));
  return {tcp.host, tcp.port, tls};
}

std::uint16_t port(ConfigMapping& config, const std::string& key) {
  return static_cast<std::uint16_t>(config.integer_or(key, 0, 0, 65535));
}

/// `nats_address`, `nats_port` and `advertise`.
QueueAddress queue_address(ConfigMapping& config) {
  QueueAddress queue;
  queue.listen = config.text_or("nats_address", "127.0.0.1");
  queue.port = port(config, "nats_port");
  queue.advertise = config.text_or("advertise", queue.listen);
  if (!parse_ipv4(queue.listen)) {
    config.refuse("nats_address", fmt::format("'{}' is no numeric IPv4 address, as 0.0.0.0", queue.listen));
  }
  if (queue.advertise == "0.0.0.0") {
    config.refuse("advertise", "is needed where nats_address is 0.0.0.0: the name or address that others connect to");
  } else if (!crypto::is_dns_name(queue.advertise)) {
    config.refuse("advertise", fmt::format("'{}' is neither a name nor an IPv4 address", queue.advertise));
  } else if (message_queue::is_loopback(queue.advertise) != message_queue::is_loopback(queue.listen)) {
    config.refuse("advertise", fmt::format("others cannot reach {} at {}", queue.listen, queue.advertise));
  }
  return queue;
}

std::string label(ConfigMapping& config, const std::string& key, const std::string& value) {
  const auto checked = check_label(value, key);
  if (!checked) config.refuse(key, checked.error().message());
  return value;
}

/// `software_tee: {require: [LAYER…]}`; all of the default without it.
std::vector<std::string> required_layers(ConfigMapping& config) {
  const auto defaults = tee::default_layers();
  auto section = config.mapping("software_tee");
  if (!section) return {defaults.begin(), defaults.end()};
  auto layers = section->texts("require");
  for (const auto& layer : layers) {
    if (const auto known = tee::parse_layers(layer); !known) section->refuse("require", known.error().message());
  }
  if (const auto good = section->finish(); !good) config.refuse("software_tee", good.error().message());
  return layers;
}

/// `gramine`, which there is with that TEE only: what the host says of an enclave does not count inside.
std::optional<GramineConfig> read_gramine(ConfigMapping& config, const HostConfig& host) {
  auto section = config.mapping("gramine");
  if (host.tee != "gramine") {
    if (section) config.refuse("gramine", fmt::format("the node's tee is {}; leave it out", host.tee));
    return std::nullopt;
  }
  if (!section) {
    config.refuse("gramine", "is required by tee: gramine: the enclave of the node's proxy, as {proxy: PATH}");
    return std::nullopt;
  }
  GramineConfig gramine;
  gramine.launcher = section->text_or("launcher", "gramine-sgx");
  gramine.proxy = section->text("proxy");
  if (!gramine.proxy.empty() && gramine.proxy.is_relative()) section->refuse("proxy", "is no absolute path");
  if (const auto good = section->finish(); !good) config.refuse("gramine", good.error().message());
  if (!host.attestation_root.empty()) {
    config.refuse("attestation_root", "is an argument in the proxy's manifest where the tee is gramine");
  }
  if (!host.local_tcp) config.refuse("local_adapter", "must be tcp: no Unix socket leaves an enclave of Gramine");
  return gramine;
}

/// `labels` and `enclave_memory`.
void read_placement(ConfigMapping& config, HostConfig& host) {
  constexpr std::size_t kLongestLabel = 128;
  for (auto& [name, value] : config.text_map("labels")) {
    if (name.empty() || name.size() > kLongestLabel || value.size() > kLongestLabel) {
      config.refuse("labels", fmt::format("'{}': names and values are texts of up to {} bytes", name, kLongestLabel));
    }
    host.labels[name] = std::move(value);
  }
  const auto text = config.text_or("enclave_memory", "0B");
  const auto size = parse_size(text);
  if (!size) config.refuse("enclave_memory", size.error().message());
  host.enclave_memory = size.value_or(0);
}

/// `instance_address` and `instance_ports`.
void read_instance_address(ConfigMapping& config, HostConfig& host) {
  host.instance_address = config.text_or("instance_address", "");
  host.instance_ports = config.text_or("instance_ports", "");
  const auto address = parse_ipv4(host.instance_address);
  if (!host.instance_address.empty() && (address.value_or(0) == 0 || is_ipv4_loopback(host.instance_address))) {
    config.refuse("instance_address",
                  fmt::format("'{}' is no IPv4 address of this machine that other nodes reach", host.instance_address));
  }
  if (host.instance_ports.empty()) return;
  if (host.instance_address.empty()) config.refuse("instance_ports", "is of use with instance_address only");
  const auto ports = wire::parse_ports(host.instance_ports);
  if (!ports) config.refuse("instance_ports", ports.error().message());
}

HostConfig host_config(ConfigMapping& config, const std::string& default_node, bool has_api) {
  HostConfig host;
  host.node = label(config, "node", default_node.empty() ? config.text("node") : config.text_or("node", default_node));
  host.state = config.text("state");
  host.enrolment_token_file = config.text_or("enrolment_token_file", "");
  host.tee = config.text("tee");
  if (host.tee != "software" && host.tee != "gramine" && host.tee != "tsm") {
    config.refuse("tee", fmt::format("'{}' is no TEE that this version starts; there are software, gramine (SGX) and "
                                     "tsm (confidential VMs)",
                                     host.tee));
  }
  host.attestation_root = config.text_or("attestation_root", "");
  if (host.tee == "software" && !host.attestation_root.empty()) {
    config.refuse("attestation_root", "the software TEE has none; leave it out");
  }
  host.required_layers = required_layers(config);
  read_placement(config, host);
  const auto adapter = config.text_or("local_adapter", host.tee == "gramine" ? "tcp" : "unix");
  if (adapter != "unix" && adapter != "tcp") config.refuse("local_adapter", "is neither unix nor tcp");
  host.local_tcp = adapter == "tcp";
  read_instance_address(config, host);
  host.gramine = read_gramine(config, host);
  host.observation = read_observation(config, has_api);
  host.observation.tracing = read_tracing(config);
  host.ready_file = config.text_or("ready_file", "");
  return host;
}

std::chrono::milliseconds duration_or(ConfigMapping& config, const std::string& key,
                                      std::chrono::milliseconds otherwise, std::chrono::milliseconds least) {
  constexpr std::chrono::hours kMost(24);
  const auto text = config.text_or(key, fmt::format("{}ms", otherwise.count()));
  const auto duration = parse_duration(text);
  if (!duration) {
    config.refuse(key, duration.error().message());
  } else if (*duration < least || *duration > kMost) {
    config.refuse(key, fmt::format("'{}' is not within {} ms and a day", text, least.count()));
  }
  return duration.value_or(otherwise);
}

/// `enclave_key: {of: measurement|signer, root: DIR}`, of the service manager.
std::optional<service_manager::authority::EnclaveKey> enclave_key(ConfigMapping& config) {
  using service_manager::authority::EnclaveKey;
  auto section = config.mapping("enclave_key");
  if (!section) return std::nullopt;
  EnclaveKey key;
  key.root = section->text_or("root", std::string(tee::kGramineRoot));
  const auto of = section->text("of");
  if (of != "measurement" && of != "signer") section->refuse("of", "is neither measurement nor signer");
  key.holder = of == "signer" ? EnclaveKey::Holder::kSigner : EnclaveKey::Holder::kEnclave;
  if (const auto good = section->finish(); !good) config.refuse("enclave_key", good.error().message());
  return key;
}

std::chrono::seconds lifetime_of_certificates(ConfigMapping& config) {
  using std::chrono::hours;
  using std::chrono::seconds;
  const auto text = config.text_or("certificate_lifetime", "30d");
  const auto lifetime = parse_duration(text);
  if (!lifetime) {
    config.refuse("certificate_lifetime", lifetime.error().message());
  } else if (*lifetime < seconds(10) || *lifetime > hours(24 * 366)) {
    config.refuse("certificate_lifetime", fmt::format("'{}' is not within 10 seconds and a year", text));
  } else {
    return std::chrono::duration_cast<seconds>(*lifetime);
  }
  return {};
}

} // namespace

TracingConfig read_tracing(ConfigMapping& config) {
  constexpr double kHundred = 100;
  TracingConfig tracing;
  auto section = config.mapping("tracing");
  if (!section) return tracing;
  tracing.endpoint = section->text("endpoint");
  tracing.sampling = static_cast<double>(section->integer_or("sample", 100, 0, 100)) / kHundred;
  tracing.root = section->text_or("root", "");
  const auto url = http::parse_url(tracing.endpoint);
  if (!url) {
    section->refuse("endpoint", url.error().message());
  } else if (url->tls == tracing.root.empty()) {
    section->refuse("root", url->tls ? "is missing: the PEM file of the certificate that the collector's is checked by"
                                     : "is of no use without https");
  } else if (!url->tls && !http::loopback_address(url->host)) {
    section->refuse("endpoint", fmt::format("'{}' is not on this machine: use https, or a collector here", url->host));
  }
  if (const auto good = section->finish(); !good) config.refuse("tracing", good.error().message());
  return tracing;
}

Observation read_observation(ConfigMapping& config, bool has_api) {
  Observation observation;
  observation.log_level = config.text_or("log_level", observation.log_level);
  if (const auto known = check_log_level(observation.log_level); !known) {
    config.refuse("log_level", known.error().message());
  }
  const auto format = log_format_from_name(config.text_or("log_format", "text"));
  if (!format) config.refuse("log_format", format.error().message());
  observation.log_format = format.value_or(LogFormat::kText);
  if (has_api) return observation;
  const auto metrics = config.text_or("metrics", "");
  if (metrics.empty()) return observation;
  const auto address = wire::parse_address("tcp:" + metrics);
  const auto* tcp = address ? std::get_if<wire::TcpAddress>(&*address) : nullptr;
  if (tcp == nullptr || !wire::is_loopback(*tcp)) {
    config.refuse("metrics", fmt::format("'{}' is no loopback address and port, as 127.0.0.1:9464", metrics));
  } else {
    observation.metrics = ListenAddress{tcp->host, tcp->port};
  }
  return observation;
}

task_manager::AutoscalingSettings read_autoscaling(ConfigMapping& config) {
  using std::chrono::milliseconds;
  task_manager::AutoscalingSettings settings;
  auto section = config.mapping("autoscaling");
  if (!section) return settings;
  const auto number = [&](const char* key, unsigned otherwise, std::int64_t least, std::int64_t most) {
    return static_cast<unsigned>(section->integer_or(key, otherwise, least, most));
  };
  settings.interval = duration_or(*section, "interval", settings.interval, milliseconds(50));
  settings.stable_window = duration_or(*section, "stable_window", settings.stable_window, settings.interval);
  settings.panic_window = duration_or(*section, "panic_window", settings.panic_window, settings.interval);
  settings.panic_threshold = number("panic_threshold", settings.panic_threshold, 110, 1000);
  settings.target_utilisation = number("target_utilisation", settings.target_utilisation, 1, 100);
  settings.max_scale_up = number("max_scale_up", settings.max_scale_up, 2, 1000);
  settings.max_scale_down = number("max_scale_down", settings.max_scale_down, 2, 1000);
  settings.scale_to_zero_grace = duration_or(*section, "scale_to_zero_grace", settings.scale_to_zero_grace, {});
  if (settings.panic_window > settings.stable_window) {
    section->refuse("panic_window", "is longer than stable_window");
  }
  if (const auto good = section->finish(); !good) config.refuse("autoscaling", good.error().message());
  return settings;
}

courier::StoreSettings read_async_tasks(ConfigMapping& config) {
  courier::StoreSettings settings;
  auto section = config.mapping("async_tasks");
  if (!section) return settings;
  const auto size = [&](const char* key, std::int64_t otherwise) {
    const auto text = section->text_or(key, fmt::format("{}B", otherwise));
    const auto parsed = parse_size(text);
    if (!parsed) section->refuse(key, parsed.error().message());
    return static_cast<std::int64_t>(parsed.value_or(0));
  };
  settings.most_bytes_each = size("quota_per_caller", settings.most_bytes_each);
  settings.most_bytes = size("quota", settings.most_bytes);
  settings.most_tasks_each = section->integer_or("tasks_per_caller", settings.most_tasks_each, 1, 1'000'000);
  const auto retention = parse_duration(section->text_or("retention", "24h"));
  if (!retention) section->refuse("retention", retention.error().message());
  settings.retention = std::chrono::duration_cast<std::chrono::seconds>(retention.value_or(settings.retention));
  if (const auto good = section->finish(); !good) config.refuse("async_tasks", good.error().message());
  return settings;
}

CallbackConfig read_callbacks(ConfigMapping& config) {
  CallbackConfig callbacks;
  callbacks.admitted = config.texts("callbacks");
  callbacks.root = config.text_or("callback_root", callbacks.root);
  if (const auto good = CallbackReceivers::make(callbacks); !good) config.refuse("callbacks", good.error().message());
  return callbacks;
}

security_manager::AuditSettings read_audit(ConfigMapping& config) {
  security_manager::AuditSettings settings;
  auto section = config.mapping("audit");
  if (!section) return settings;
  settings.most_records = section->integer_or("records", settings.most_records, 1, 100'000'000);
  const auto retention = parse_duration(section->text_or("retention", "365d"));
  if (!retention) section->refuse("retention", retention.error().message());
  settings.retention = std::chrono::duration_cast<std::chrono::seconds>(retention.value_or(settings.retention));
  if (const auto good = section->finish(); !good) config.refuse("audit", good.error().message());
  return settings;
}

/// With what goes with it, this fits into the JetStream store that the authority admits a cluster's account.
constexpr std::uint64_t kMostOfTopics = std::uint64_t{896} << 20U;

topics::JournalSettings read_topics(ConfigMapping& config) {
  topics::JournalSettings settings;
  auto section = config.mapping("topics");
  if (!section) return settings;
  const auto quota = parse_size(section->text_or("quota", fmt::format("{}B", settings.most_bytes)));
  if (!quota) section->refuse("quota", quota.error().message());
  settings.most_bytes = quota.value_or(0);
  if (settings.most_bytes > kMostOfTopics) section->refuse("quota", "is above 896MiB: the message queue has 1 GiB");
  settings.most_topics = static_cast<std::size_t>(
      section->integer_or("most", static_cast<std::int64_t>(settings.most_topics), 1, 100'000));
  settings.most_subscriptions = static_cast<std::size_t>(section->integer_or(
      "subscriptions_per_topic", static_cast<std::int64_t>(settings.most_subscriptions), 1, 100'000));
  if (const auto good = section->finish(); !good) config.refuse("topics", good.error().message());
  return settings;
}

Result<ServiceManagerConfig> ServiceManagerConfig::read(const std::filesystem::path& file) {
  TCFDL_ASSIGN(auto config, open(file));
  ServiceManagerConfig result;
  result.state = config.text("state");
  result.nats = queue_address(config);
  result.certificate_lifetime = lifetime_of_certificates(config);
  result.policy = config.text("policy");
  result.collateral = config.texts("collateral");
  result.certificates = config.text_or("certificates", "");
  result.key_file = {result.state / "authority.key", config.text_or("passphrase_file", ""), enclave_key(config)};
  if (result.key_file.enclave && !result.key_file.passphrase_file.empty()) {
    config.refuse("enclave_key", "and passphrase_file exclude each other");
  }
  for (auto& token : config.mappings("initial_tokens")) {
    if (token.text("role") != "master") token.refuse("role", "only masters get their first token here");
    InitialToken initial;
    initial.cluster = label(token, "cluster", token.text("cluster"));
    initial.file = token.text("file");
    TCFDL_TRY(token.finish());
    result.initial_tokens.push_back(std::move(initial));
  }
  result.observation = read_observation(config, false);
  result.ready_file = config.text_or("ready_file", "");
  TCFDL_TRY(config.finish());
  return result;
}

Result<MasterConfig> MasterConfig::read(const std::filesystem::path& file) {
  TCFDL_ASSIGN(auto config, open(file));
  MasterConfig result;
  result.cluster = label(config, "cluster", config.text("cluster"));
  result.host = host_config(config, result.cluster + "-master", true);
  result.api = listen_address(config, "api");
  if (config.text_or("gateway", "") == "none") {
    if (config.boolean_or("gateway_tls", false)) config.refuse("gateway_tls", "there is no gateway; leave it out");
  } else {
    result.gateway = listen_address(config, "gateway");
  }
  result.tasks = listen_address(config, "tasks");
  result.nats = queue_address(config);
  if (result.tasks.host == "0.0.0.0" && !parse_ipv4(result.nats.advertise)) {
    config.refuse("tasks", fmt::format("is told to callers as an address; {} is a name", result.nats.advertise));
  }
  result.host_instances = config.boolean_or("host_instances", true);
  if (result.host.gramine && result.host_instances) config.refuse("host_instances", kNoProgramsInEnclaves);
  if (result.host.gramine && result.gateway) config.refuse("gateway", kNoProgramsInEnclaves);
  constexpr std::int64_t kHighestRate = 1'000'000;
  result.api_rate =
      static_cast<unsigned>(config.integer_or("api_requests_per_second", result.api_rate, 0, kHighestRate));
  result.call_rate = static_cast<unsigned>(config.integer_or("calls_per_second", result.call_rate, 0, kHighestRate));
  result.autoscaling = read_autoscaling(config);
  TCFDL_ASSIGN(result.callers, read_caller_shares(config));
  result.async_tasks = read_async_tasks(config);
  result.callbacks = read_callbacks(config);
  result.audit = read_audit(config);
  result.topics = read_topics(config);
  TCFDL_TRY(config.finish());
  return result;
}

Result<WorkerConfig> WorkerConfig::read(const std::filesystem::path& file) {
  TCFDL_ASSIGN(auto config, open(file));
  WorkerConfig result{host_config(config, {}, false)};
  if (result.host.gramine)
    config.refuse("tee", fmt::format("a worker is there for instances: {}", kNoProgramsInEnclaves));
  TCFDL_TRY(config.finish());
  return result;
}

} // namespace tcfdl::node
