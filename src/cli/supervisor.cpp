#include "cli/supervisor.hpp"

#include "base/file.hpp"
#include "base/log_file.hpp"
#include "cli/client_state.hpp"
#include "cli/enrolment.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <csignal>

namespace tcfdl::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kStopPatience{10'000};
constexpr milliseconds kWatchPeriod{20};
constexpr milliseconds kIdlePeriod{500};
constexpr std::chrono::seconds kTokenLifetime{3600};
constexpr std::size_t kTailLines = 20;

Result<json> read_json(const std::filesystem::path& path) {
  TCFDL_ASSIGN(const auto text, read_file(path, std::size_t{1} << 20U));
  auto document = http::parse_json(text);
  if (!document) return document.error().within(path.string());
  if (!document->is_object()) return make_error(Code::kInvalidArgument, "{} is no JSON object", path.string());
  return document;
}

std::string log_end(const Daemon& daemon) {
  return fmt::format("the end of {}:\n{}", daemon.spec().log.string(), file_tail(daemon.spec().log, kTailLines));
}

std::vector<std::string> all_workers(const Topology& topology) {
  std::vector<std::string> names;
  for (const auto& cluster : topology.clusters) {
    names.insert(names.end(), cluster.workers.begin(), cluster.workers.end());
  }
  return names;
}

std::vector<std::string> all_masters(const Topology& topology) {
  std::vector<std::string> names;
  names.reserve(topology.clusters.size());
  for (const auto& cluster : topology.clusters) names.push_back(cluster.master());
  return names;
}

void say(const std::string& text) { (void)write_all(STDERR_FILENO, as_bytes("tcfdl: " + text + "\n")); }

} // namespace

Result<json> Supervisor::start() {
  TCFDL_TRY(recover());
  TCFDL_TRY(write_configuration(settings_.layout, settings_.topology));
  TCFDL_TRY(start_group({"service-manager"}, "service-manager"));
  TCFDL_TRY(start_group(all_masters(settings_.topology), "master"));
  TCFDL_TRY(fetch_tokens());
  TCFDL_TRY(start_group(all_workers(settings_.topology), "worker"));
  auto clusters = json::array();
  for (const auto& cluster : settings_.topology.clusters) {
    TCFDL_ASSIGN(auto described, admit_client(cluster, clusters.empty()));
    clusters.push_back(std::move(described));
  }
  if (signals_.wait(milliseconds(0))) return Error(Code::kCancelled, "told to stop");
  return json{{"state", settings_.layout.root().string()},
              {"pid", ::getpid()},
              {"protection", "software TEE: protects against nothing that root on this machine does"},
              {"clusters", std::move(clusters)}};
}

void Supervisor::run() {
  while (!signals_.wait(kIdlePeriod)) {
    for (auto& group : groups_) {
      for (auto& watched : group) watch(watched);
    }
  }
}

void Supervisor::stop() {
  while (!groups_.empty()) {
    stop_group(groups_.back());
    groups_.pop_back();
  }
  std::error_code ignored;
  std::filesystem::remove(settings_.layout.processes(), ignored);
}

/// Ends what a killed supervisor left behind: such daemons hold the locks of their state.
Status Supervisor::recover() {
  const auto left = read_json(settings_.layout.processes());
  if (!left) return left.error().code() == Code::kNotFound ? Status() : Status(left.error());
  std::vector<ProcessId> processes;
  for (const auto& [name, item] : left->items()) {
    if (!item.is_object() || !item["pid"].is_number_integer() || !item["started"].is_number_unsigned()) continue;
    processes.push_back({item["pid"].get<pid_t>(), item["started"].get<std::uint64_t>()});
  }
  end_processes(processes, kStopPatience);
  return {};
}

Status Supervisor::start_group(const std::vector<std::string>& names, const std::string& command) {
  auto& group = groups_.emplace_back();
  for (const auto& name : names) {
    const auto& layout = settings_.layout;
    auto& watched = group.emplace_back(Watched{Daemon({.name = name,
                                                       .arguments = {command, "--config", layout.config(name).string()},
                                                       .log = layout.log(name),
                                                       .ready = layout.ready(name)}),
                                               {},
                                               {}});
    TCFDL_TRY(watched.daemon.start(settings_.program));
    TCFDL_TRY(record());
  }
  TCFDL_TRY(wait_ready(group));
  return mark_enrolled(group);
}

Status Supervisor::wait_ready(Group& group) {
  const auto deadline = Deadline::after(settings_.ready_timeout);
  for (;;) {
    const auto is_ready = [](const Watched& watched) { return std::filesystem::exists(watched.daemon.spec().ready); };
    for (auto& [daemon, backoff, due] : group) {
      const auto end = daemon.ended();
      if (!end) continue;
      return make_error(Code::kUnavailable, "{} {} before it was ready; {}", daemon.spec().name, *end, log_end(daemon));
    }
    const auto late = std::ranges::find_if_not(group, is_ready);
    if (late == group.end()) return {};
    if (deadline.expired()) {
      return make_error(Code::kDeadlineExceeded, "{} is not ready after {} ms; {}", late->daemon.spec().name,
                        settings_.ready_timeout.count(), log_end(late->daemon));
    }
    if (signals_.wait(kWatchPeriod)) return Error(Code::kCancelled, "told to stop");
  }
}

/// A token serves once; a node that was ready keeps its certificate.
Status Supervisor::mark_enrolled(const Group& group) const {
  for (const auto& watched : group) {
    const auto& name = watched.daemon.spec().name;
    TCFDL_TRY(write_file(settings_.layout.enrolled(name), {}, kPrivateFile));
  }
  return {};
}

Status Supervisor::fetch_tokens() {
  for (const auto& cluster : settings_.topology.clusters) {
    TCFDL_ASSIGN(const auto ready, ready_of(cluster.master()));
    sdk::Context place;
    place.api_url = ready.value("api_url", "");
    place.api_token = ready.value("api_token", "");
    place.tls_root = ready.value("tls_root", "");
    place.tls_server_name = ready.value("tls_server_name", "");
    TCFDL_ASSIGN(auto api, Api::connect(place));
    for (const auto& worker : cluster.workers) {
      if (std::filesystem::exists(settings_.layout.enrolled(worker))) continue;
      const auto token = create_token(api, "worker", kTokenLifetime);
      if (!token) return token.error().within("the token of " + worker);
      TCFDL_TRY(write_file(settings_.layout.token(worker), as_bytes(*token + "\n"), kPrivateFile));
    }
  }
  return {};
}

Result<json> Supervisor::admit_client(const TopologyCluster& cluster, bool first) {
  TCFDL_ASSIGN(const auto ready, ready_of(cluster.master()));
  const auto context = admit(settings_.layout, cluster.name, ready);
  if (!context) return context.error().within("the client of " + cluster.name);
  TCFDL_TRY(sdk::save_context(*context, first));
  return json{{"name", cluster.name},
              {"context", context->name},
              {"current", first},
              {"master", cluster.master()},
              {"workers", cluster.workers},
              {"api_url", context->api_url},
              {"gateway_url", context->gateway_url}};
}

Result<json> Supervisor::ready_of(const std::string& name) const { return read_json(settings_.layout.ready(name)); }

void Supervisor::stop_group(Group& group) {
  for (auto& watched : group) watched.daemon.signal(SIGTERM);
  const auto wait_all = [&](milliseconds within) {
    const auto deadline = Deadline::after(within);
    while (!deadline.expired()) {
      bool all = true;
      for (auto& watched : group) all = watched.daemon.ended().has_value() && all;
      if (all) return true;
      // The stop signal is here already, so this returns at once; a short sleep bounds the polling.
      ::usleep(5000);
    }
    return false;
  };
  if (wait_all(kStopPatience)) return;
  for (auto& watched : group) {
    if (watched.daemon.running()) say(watched.daemon.spec().name + " did not stop within 10 s and is killed");
    watched.daemon.signal(SIGKILL);
  }
  (void)wait_all(kStopPatience);
}

void Supervisor::watch(Watched& watched) {
  const auto now = std::chrono::steady_clock::now();
  auto& daemon = watched.daemon;
  if (const auto bounded = bound_log_file(daemon.spec().log); !bounded) say(bounded.error().to_string());
  if (!watched.due) {
    const auto age = daemon.age();
    const auto end = daemon.ended();
    if (!end) return;
    const auto wait = watched.backoff.next(age);
    say(fmt::format("{} {}; it starts again in {} ms; its log is {}", daemon.spec().name, *end, wait.count(),
                    daemon.spec().log.string()));
    watched.due = now + wait;
  } else if (now >= *watched.due) {
    watched.due.reset();
    if (const auto started = daemon.start(settings_.program); !started) say(started.error().to_string());
    if (const auto recorded = record(); !recorded) say(recorded.error().to_string());
  }
}

Status Supervisor::record() const {
  auto document = json::object();
  for (const auto& group : groups_) {
    for (const auto& watched : group) {
      const auto& process = watched.daemon.process();
      if (process.pid != 0) document[watched.daemon.spec().name] = {{"pid", process.pid}, {"started", process.started}};
    }
  }
  return write_file(settings_.layout.processes(), as_bytes(document.dump()), kPrivateFile);
}

} // namespace tcfdl::cli
