#include "node/master_api.hpp"

#include "base/encoding.hpp"
#include "collaboration/subjects.hpp"
#include "http/json.hpp"
#include "node/instance_state.hpp"
#include "node/log_follower.hpp"
#include "wire/descriptor.hpp"

#include <algorithm>
#include <set>

namespace tcfdl::node {
namespace {

using api_service::Json;
using std::chrono::seconds;

constexpr seconds kAuthorityTime{10};
/// So many runs that failed one after the other are a program that does not work.
constexpr std::uint32_t kCrashLoop = 3;

Json describe(const wire::Descriptor& descriptor) {
  return {{"name", descriptor.name()},
          {"version", descriptor.version()},
          {"protections", http::list_of(descriptor.protections())},
          {"idempotent", descriptor.idempotent()},
          {"concurrency", descriptor.concurrency()},
          {"measurement", to_hex(as_bytes(descriptor.measurement()))},
          {"tee", http::list_of(descriptor.tee_kinds())},
          {"assurance", http::list_of(descriptor.assurance())},
          {"providers", http::list_of(descriptor.providers())},
          {"queue_limit", descriptor.queue_limit()},
          {"max_body", descriptor.max_body()},
          {"epoch", descriptor.epoch()},
          {"topics", http::list_of(descriptor.triggers())},
          {"owner", wire::fingerprint(as_bytes(descriptor.owner_key()))}};
}

Json describe(const wire::EnrolledClient& client) {
  return {{"name", client.name()}, {"grants", http::list_of(client.grants())}, {"enrolled", client.enrolled()}};
}

/// The TEE kind that a node reports; its instances run in that one.
std::string tee_kind_of(const instance_manager::ClusterView& view, const NodeId& node) {
  const auto found = std::ranges::find_if(view.nodes, [&](const auto& one) { return one.status.node() == node.str(); });
  return found == view.nodes.end() ? std::string() : found->status.tee_kind();
}

Json describe(const instance_manager::ClusterView& view, const instance_manager::FunctionView& function,
              const NodeId& node, const wire::InstanceStatus& status) {
  const bool is_warm = function.warm.contains(status.instance());
  return {{"id", status.instance()},
          {"function", status.function()},
          {"version", status.version()},
          {"node", node.str()},
          {"state", is_warm ? "warm" : state_name(status.state(), "unknown")},
          {"tee_kind", tee_kind_of(view, node)},
          {"pid", status.pid()},
          {"rss", status.rss()},
          {"memory", status.memory()},
          {"processes", status.processes()},
          {"cpu_ms", status.cpu_us() / 1000},
          {"restarts", status.restarts()},
          {"failures", status.failures()},
          {"crash_looping", status.failures() >= kCrashLoop},
          {"retry_in_ms", status.retry_in_ms()},
          {"last_error", status.last_error()}};
}

/// The state of all functions at one moment.
struct Progress {
  instance_manager::ClusterView view;
  std::vector<task_manager::FunctionStats> stats;
  std::map<FunctionName, ScalingView> scaling;

  explicit Progress(const MasterApiParts& parts)
      : view(parts.instances.view()), stats(parts.tasks.stats()), scaling(parts.scaling.view()) {}
};

void add_instances(Json& function, const FunctionName& name, const Progress& progress) {
  function["instances_ready"] = 0;
  function["instances_wanted"] = 0;
  const auto& functions = progress.view.functions;
  const auto running = std::ranges::find(functions, name, &instance_manager::FunctionView::function);
  if (running != functions.end()) {
    function["instances_ready"] = running->ready;
    function["instances_wanted"] = running->scale;
    function["instances_warm"] = running->warm.size();
    function["warm"] = running->warm_wanted;
    if (!running->problem.empty()) function["problem"] = running->problem;
    if (const auto& trial = running->trial) {
      function["trial"] = {{"version", trial->version},
                           {"instances_ready", trial->ready},
                           {"instances_wanted", trial->wanted},
                           {"failures", trial->failures}};
    }
  }
  const auto scaling = progress.scaling.find(name);
  if (scaling == progress.scaling.end()) return;
  function["instances_min"] = scaling->second.bounds.min;
  function["instances_max"] = scaling->second.bounds.max;
  function["response_time_ms"] = scaling->second.bounds.response_time.count();
  function["scaling"] = scaling->second.why;
  function["rate"] = scaling->second.rate;
}

void add_tasks(Json& function, const FunctionName& name, const Progress& progress) {
  task_manager::FunctionStats figures;
  const auto found = std::ranges::find(progress.stats, name, &task_manager::FunctionStats::function);
  if (found != progress.stats.end()) figures = *found;
  function["waiting"] = figures.waiting;
  function["in_flight"] = figures.in_flight;
  function["started"] = figures.started;
  function["ended"] = figures.ended();
  function["service_ms"] = figures.service_us / 1000;
  function["median_ms"] = figures.median_us / 1000;
}

/// When it runs by itself.
void add_cron(Json& function, const wire::Descriptor& descriptor, CronTriggers& cron) {
  function["cron"] = Json::array();
  const auto entries = cron.entries(descriptor);
  if (!entries) return;
  for (const auto& each : *entries) {
    function["cron"].push_back({{"expression", each.expression}, {"last", each.last}, {"next", each.next}});
  }
}

Json own_function(const MasterApiParts& parts, const function_manager::FunctionRecord& record,
                  const Progress& progress) {
  auto function = describe(record.descriptor);
  function["cluster"] = parts.cluster;
  function["local"] = true;
  const auto manifest = wire::parse_manifest(record.manifest);
  function["confidential"] = http::list_of(manifest ? wire::confidential_paths(*manifest) : std::vector<std::string>());
  const FunctionName name(record.descriptor.name());
  add_instances(function, name, progress);
  add_tasks(function, name, progress);
  if (const auto given_up = parts.functions.rollback(name.str()).value_or(std::nullopt)) {
    function["rollback"] = {{"version", given_up->version}, {"reason", given_up->reason}, {"time", given_up->time}};
  }
  add_cron(function, record.descriptor, parts.cron);
  function["registered"] = record.registered;
  if (!record.registered) function["problem"] = "not registered: " + record.registration_error;
  return function;
}

std::string settings_text(const api_service::FunctionSettings& settings) {
  function_manager::FunctionSettings kept;
  kept.scale = {settings.least, settings.most, settings.response_time_ms, settings.warm};
  kept.resources = {settings.memory, settings.enclave_memory, settings.millicores, settings.most_millicores,
                    settings.processes};
  kept.labels.insert(settings.labels.begin(), settings.labels.end());
  const auto& health = settings.health;
  kept.health = {health.ready_within_ms, health.answer_within_ms, health.overdue_ms, health.trial_ms, health.failures};
  return function_manager::write_settings(kept);
}

/// Instances that can start on a node without the authority.
Json slots_json(const wire::NodeStatus& status) {
  auto slots = Json::array();
  for (const auto& slot : status.slots()) {
    slots.push_back({{"instance", slot.instance()}, {"function", slot.function()}, {"version", slot.version()}});
  }
  return slots;
}

std::string node_state_name(const instance_manager::NodeView& node) {
  if (node.overdue) return "silent";
  if (!node.drained) return "ready";
  return node.status.instances_size() == 0 ? "drained" : "draining";
}

Json node_json(const MasterApiParts& parts, const instance_manager::NodeView& node) {
  const auto& status = node.status;
  Json labels = Json::object();
  for (const auto& [name, value] : status.labels()) labels[name] = value;
  return {{"name", status.node()},
          {"role", status.role()},
          {"tee_kind", status.tee_kind()},
          {"layers", http::list_of(status.layers())},
          {"slots", slots_json(status)},
          {"cluster", parts.cluster},
          {"state", node_state_name(node)},
          {"heartbeat_age_ms", node.age.count()},
          {"cores", status.cores()},
          {"memory_total", status.memory_total()},
          {"memory_available", status.memory_available()},
          {"enclave_memory", status.enclave_memory()},
          {"instances", status.instances_size()},
          {"labels", std::move(labels)},
          {"load", status.load()},
          {"pid", status.pid()}};
}

} // namespace

Result<Json> MasterApi::list() {
  Json functions = Json::array();
  std::set<std::string> own;
  TCFDL_ASSIGN(const auto records, parts_.functions.list());
  const Progress progress(parts_);
  for (const auto& record : records) {
    own.insert(record.descriptor.name());
    functions.push_back(own_function(parts_, record, progress));
  }
  const auto elsewhere = parts_.links.inquire({}, Deadline::after(seconds(2)));
  if (!elsewhere) return functions; // the cluster's own functions need no service manager
  for (const auto& provider : elsewhere->providers()) {
    if (provider.cluster() == parts_.cluster) continue;
    const auto descriptor = wire::verify_descriptor(provider.descriptor());
    if (!descriptor) continue;
    auto function = describe(*descriptor);
    function["cluster"] = provider.cluster();
    function["local"] = false;
    functions.push_back(std::move(function));
  }
  return functions;
}

Result<Json> MasterApi::get(const FunctionName& name) {
  TCFDL_ASSIGN(const auto record, parts_.functions.get(name.str()));
  const Progress progress(parts_);
  auto function = own_function(parts_, record, progress);
  function["settings"] = Json::parse(function_manager::write_settings(record.settings), nullptr, false);
  function["instances"] = Json::array();
  for (const auto& running : progress.view.functions) {
    if (running.function != name) continue;
    for (const auto& [node, status] : running.instances)
      function["instances"].push_back(describe(progress.view, running, node, status));
  }
  return function;
}

Result<api_service::Deployed> MasterApi::deploy(const api_service::Deployment& deployment) {
  TCFDL_ASSIGN(auto deployed,
               parts_.deployments.deploy({deployment.unverified_descriptor, to_bytes(deployment.manifest),
                                          settings_text(deployment.settings), deployment.unverified_content_key}));
  auto& record = deployed.record;
  const bool created = !deployed.on_trial && record.created == record.updated;
  if (deployed.on_trial) {
    TCFDL_ASSIGN(record, parts_.functions.get(record.descriptor.name())); // the one in force
  }
  return api_service::Deployed{created, own_function(parts_, record, Progress(parts_))};
}

Result<Json> MasterApi::set_scale(const FunctionName& name, const api_service::ScaleChange& change) {
  TCFDL_ASSIGN(const auto present, parts_.functions.get(name.str()));
  auto scale = present.settings.scale;
  scale.min = change.least.value_or(scale.min);
  scale.max = change.most.value_or(scale.max);
  scale.response_time_ms = change.response_time_ms.value_or(scale.response_time_ms);
  scale.warm = change.warm.value_or(scale.warm);
  TCFDL_ASSIGN(const auto record, parts_.deployments.set_scale(name, scale));
  return own_function(parts_, record, Progress(parts_));
}

Status MasterApi::remove(const FunctionName& name) { return parts_.deployments.remove(name); }

Result<Json> MasterApi::rotate_key(const FunctionName& name, std::chrono::seconds overlap) {
  wire::AuthorityRequest request;
  request.mutable_rotate_key()->set_function(name.str());
  request.mutable_rotate_key()->set_overlap(overlap.count());
  TCFDL_ASSIGN(const auto reply, parts_.service_manager.ask(request, Deadline::after(kAuthorityTime)));
  return Json{{"name", name.str()}, {"epoch", reply.rotated().epoch()}, {"until", reply.rotated().until()}};
}

Result<Json> MasterApi::seal_key() {
  wire::AuthorityRequest request;
  request.mutable_seal_key();
  TCFDL_ASSIGN(const auto reply, parts_.service_manager.ask(request, Deadline::after(kAuthorityTime)));
  return Json{{"seal_key", to_base64url(wire::serialize(reply.seal_key()))}};
}

Status MasterApi::revoke_instance(const std::string& instance) {
  wire::AuthorityRequest request;
  request.mutable_revoke()->set_instance(instance);
  TCFDL_TRY(parts_.service_manager.ask(request, Deadline::after(kAuthorityTime)));
  return {};
}

Status MasterApi::revoke_client(const std::string& client) {
  wire::AuthorityRequest request;
  request.mutable_revoke()->set_client(client);
  TCFDL_TRY(parts_.service_manager.ask(request, Deadline::after(kAuthorityTime)));
  return {};
}

Result<Json> MasterApi::clients() {
  wire::AuthorityRequest request;
  request.mutable_list_clients();
  TCFDL_ASSIGN(const auto reply, parts_.service_manager.ask(request, Deadline::after(kAuthorityTime)));
  Json result = Json::array();
  for (const auto& client : reply.clients().clients()) result.push_back(describe(client));
  return result;
}

Result<Json> MasterApi::change_grants(const wire::ChangeGrants& change) {
  wire::AuthorityRequest request;
  *request.mutable_change_grants() = change;
  TCFDL_ASSIGN(const auto reply, parts_.service_manager.ask(request, Deadline::after(kAuthorityTime)));
  if (reply.clients().clients_size() == 1) return describe(reply.clients().clients(0));
  return Error(Code::kInternal, "the service manager answered a change of grants with no client");
}

Result<Json> MasterApi::certificate_of_now(const wire::Signed& unverified) {
  TCFDL_ASSIGN(const auto newest, parts_.certificates.current(unverified));
  Json chain = Json::array();
  for (const auto& der : newest.tls_chain) chain.push_back(to_base64url(as_bytes(der)));
  return Json{{"certificate", to_base64url(wire::serialize(newest.certificate))}, {"tls_chain", std::move(chain)}};
}

Status MasterApi::put(const std::string& digest, BytesView content) {
  if (to_hex(crypto::sha256(content)) != digest) {
    return make_error(Code::kInvalidArgument, "the content has SHA-256 {}, not {}", to_hex(crypto::sha256(content)),
                      digest);
  }
  TCFDL_TRY(parts_.functions.put_file(content));
  return {};
}

Result<Json> MasterApi::status() {
  Json clusters = Json::array();
  clusters.push_back({{"name", parts_.cluster}, {"state", "self"}, {"expires", 0}});
  for (const auto& peer : parts_.links.peers()) {
    clusters.push_back(
        {{"name", peer.cluster}, {"state", peer.reachable ? "reachable" : "unreachable"}, {"expires", peer.expires}});
  }
  const auto view = parts_.instances.view();
  Json nodes = Json::array();
  for (const auto& node : view.nodes) nodes.push_back(node_json(parts_, node));
  Json instances = Json::array();
  for (const auto& function : view.functions) {
    for (const auto& [node, status] : function.instances) instances.push_back(describe(view, function, node, status));
  }
  TCFDL_ASSIGN(auto functions, list());
  return Json{{"cluster", parts_.cluster},
              {"node", parts_.node},
              {"protection", "software TEE: protects against nothing that root on this machine does"},
              {"clusters", std::move(clusters)},
              {"nodes", std::move(nodes)},
              {"functions", std::move(functions)},
              {"instances", std::move(instances)}};
}

Result<Json> MasterApi::set_drained(const std::string& node, bool drained) {
  const auto view = parts_.instances.view();
  const auto known = std::ranges::find_if(view.nodes, [&](const auto& one) { return one.status.node() == node; });
  if (drained && known == view.nodes.end()) {
    return make_error(Code::kNotFound, "no node of cluster {} is called {}; `tcfdl status` lists them", parts_.cluster,
                      node);
  }
  TCFDL_TRY(parts_.drained.set(NodeId(node), drained));
  return Json{{"node", node}, {"drained", drained}};
}

Result<Json> MasterApi::attestation_result(const std::string& subject, BytesView nonce) {
  auto certificate = parts_.service_manager.certified(subject);
  for (const auto& node : parts_.instances.view().nodes) {
    if (node.status.node() == subject) certificate = node.status.proxy_certificate();
  }
  if (!certificate) {
    return make_error(Code::kNotFound,
                      "no node of cluster {} is called {}, nor was an instance of that name certified since its master "
                      "started; `tcfdl status` lists both",
                      parts_.cluster, subject);
  }
  TCFDL_ASSIGN(const auto token,
               parts_.service_manager.attestation_result(*certificate, nonce, Deadline::after(kAuthorityTime)));
  return Json{{"subject", subject}, {"token", token}};
}

/// Whether its owner lets its output out.
Status MasterApi::check_logs(const FunctionName& name) {
  TCFDL_ASSIGN(const auto record, parts_.functions.get(name.str()));
  TCFDL_ASSIGN(const auto manifest, wire::parse_manifest(record.manifest));
  if (manifest.logs == wire::LogPolicy::kHost) return {};
  return make_error(Code::kPermissionDenied, "{} keeps its output inside the TEE: its policy does not say logs: host",
                    name);
}

Result<std::unique_ptr<api_service::LogFollower>> MasterApi::follow(const FunctionName& name, std::size_t bytes) {
  TCFDL_TRY(check_logs(name));
  return std::make_unique<NodeLogFollower>(parts_.functions, parts_.instances, parts_.commander, name, bytes);
}

Result<Json> MasterApi::read(const FunctionName& name, std::size_t bytes) {
  TCFDL_TRY(check_logs(name));
  wire::ReadLogs request;
  request.set_function(name.str());
  request.set_max_bytes(static_cast<std::uint32_t>(bytes));
  Json logs = Json::array();
  for (const auto& node : parts_.instances.view().nodes) {
    const auto found = parts_.commander.logs(NodeId(node.status.node()), request, Deadline::after(seconds(5)));
    if (!found) continue; // a silent node's logs are with it
    for (const auto& log : found->logs()) logs.push_back({{"instance", log.instance()}, {"text", log.text()}});
  }
  return logs;
}

Result<api_service::IssuedToken> MasterApi::create(const api_service::TokenRequest& request) {
  if (request.role == wire::ROLE_MASTER) {
    return Error(Code::kPermissionDenied,
                 "tokens for masters are the service manager's to give: name the cluster in its "
                 "configuration, under initial_tokens");
  }
  wire::AuthorityRequest wanted;
  auto& token = *wanted.mutable_create_token();
  token.set_role(request.role);
  token.set_cluster(request.cluster.empty() ? parts_.cluster : request.cluster);
  token.set_lifetime(request.lifetime.count());
  for (const auto& grant : request.grants) token.add_grants(grant);
  TCFDL_ASSIGN(const auto reply, parts_.service_manager.ask(wanted, Deadline::after(kAuthorityTime)));
  const auto& made = reply.create_token();
  Bytes entrance;
  if (request.role == wire::ROLE_WORKER) {
    TCFDL_ASSIGN(entrance, parts_.worker_entrance(made.expires()));
  } else if (request.role == wire::ROLE_CLIENT) {
    entrance = parts_.client_entrance;
  }
  const wire::EnrolmentToken text{made.secret(), to_bytes(made.authority_key_hash()), std::move(entrance)};
  return api_service::IssuedToken{text.text(), made.expires()};
}

Result<api_service::IssuedToken> MasterApi::grant(const api_service::AccessRequest& request) {
  TCFDL_ASSIGN(const auto role, security_manager::parse_access_role(request.role));
  TCFDL_ASSIGN(auto issued, parts_.access.create(request.name, role, request.lifetime.count()));
  return api_service::IssuedToken{std::move(issued.token), issued.expires};
}

Result<Json> MasterApi::principals() {
  TCFDL_ASSIGN(const auto entries, parts_.access.list());
  Json result = Json::array();
  for (const auto& entry : entries) {
    result.push_back({{"name", entry.principal.name},
                      {"role", security_manager::role_name(entry.principal.role)},
                      {"created", entry.created},
                      {"expires", entry.expires}});
  }
  return result;
}

Result<Json> MasterApi::records(std::int64_t limit) {
  TCFDL_ASSIGN(const auto records, parts_.audit.newest(limit));
  Json result = Json::array();
  for (const auto& [number, time, event] : records) {
    result.push_back({{"number", number},
                      {"time", time},
                      {"who", event.who},
                      {"role", event.role},
                      {"from", event.from},
                      {"action", event.action},
                      {"object", event.object},
                      {"allowed", event.allowed},
                      {"outcome", event.outcome}});
  }
  return result;
}

Result<wire::AuthorityReply> MasterApi::enrol(const wire::AuthorityRequest& request) {
  TCFDL_ASSIGN(const auto bytes,
               parts_.service_manager_bus.request(collaboration::kServiceEnrolSubject, wire::serialize(request),
                                                  Deadline::after(seconds(10))));
  return wire::parse<wire::AuthorityReply>(bytes);
}

std::string MasterApi::text() {
  metrics::Page page;
  parts_.add_figures(page);
  return page.text();
}

api_service::HealthState MasterApi::state() {
  return parts_.service_manager_bus.connected() ? api_service::HealthState::kOk : api_service::HealthState::kFallback;
}

} // namespace tcfdl::node
