#include "instance_manager/node_instances.hpp"

#include "base/child.hpp"
#include "base/log.hpp"
#include "instance_manager/names.hpp"
#include "instance_manager/system_status.hpp"
#include "wire/address.hpp"
#include "wire/descriptor.hpp"

namespace tcfdl::instance_manager {
namespace {

constexpr int kMaxAddresses = 8;
constexpr std::size_t kMaxErrorText = 512;
constexpr std::string_view kConnectionEnded = "its connection to the node ended";

std::string describe_exit(int status, const std::string& note) {
  return note.empty() ? tcfdl::describe_exit(status) : fmt::format("{}: {}", tcfdl::describe_exit(status), note);
}

/// How long files of output grow before they are looked at.
constexpr std::chrono::seconds kLogsEvery{5};

/// What the owner signed is what the master wants to run: signature, measurement, manifest.
Result<wire::Descriptor> check(const wire::StartInstance& order) {
  TCFDL_TRY(check_instance_id(order.instance()));
  return wire::check_bundle(order.descriptor(), as_bytes(order.manifest()));
}

} // namespace

NodeInstances::NodeInstances(NodeInstancesSettings settings, Proxy& proxy, Bundles& bundles, Reporter& reporter,
                             Executor& executor, EventQueue::Now now)
    : settings_(std::move(settings)), logs_(settings_.log_directory), proxy_(proxy), bundles_(bundles),
      reporter_(reporter), executor_(executor), queue_("instances", std::move(now)) {}

void NodeInstances::start() {
  queue_.start();
  bound_logs();
}

void NodeInstances::bound_logs() {
  executor_.run([this] { logs_.bound(); });
  queue_.post_at(queue_.now() + kLogsEvery, [this] { bound_logs(); });
}

void NodeInstances::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  queue_.stop();
  std::vector<InstanceId> running;
  {
    const std::scoped_lock lock(mutex_);
    tokens_.clear();
    for (const auto& [id, record] : records_) {
      if (record.alive || record.launching) running.push_back(id);
    }
  }
  for (const auto& id : running) kill_blocking(id);
}

void NodeInstances::kill_blocking(const InstanceId& id) {
  if (const auto killed = proxy_.kill(id); !killed) spdlog::warn("instance {}: {}", id, killed.error().to_string());
}

void NodeInstances::handle(const Handler& handler) {
  bool changed = false;
  {
    const std::scoped_lock lock(mutex_);
    handler();
    changed = std::exchange(changed_, false);
  }
  if (changed) reporter_.instances_changed();
}

void NodeInstances::post(Handler handler) {
  queue_.post([this, handler = std::move(handler)] { handle(handler); });
}

void NodeInstances::post_after(std::chrono::milliseconds delay, Handler handler) {
  queue_.post_at(queue_.now() + delay, [this, handler = std::move(handler)] { handle(handler); });
}

NodeInstances::Record* NodeInstances::find(const InstanceId& id) {
  const auto found = records_.find(id);
  return found == records_.end() ? nullptr : &found->second;
}

NodeInstances::Record* NodeInstances::find(const InstanceId& id, std::uint64_t run) {
  auto* record = find(id);
  return record != nullptr && record->run == run ? record : nullptr;
}

Status NodeInstances::start_instance(const wire::StartInstance& order) {
  TCFDL_ASSIGN(auto descriptor, check(order));
  {
    const std::scoped_lock lock(mutex_);
    if (records_.size() >= settings_.max_instances && !records_.contains(InstanceId(order.instance()))) {
      return make_error(Code::kResourceExhausted, "this node has {} instances, as many as it may", records_.size());
    }
  }
  post([this, order, descriptor = std::move(descriptor)] { handle_start(order, descriptor); });
  return {};
}

void NodeInstances::stop_instance(const wire::StopInstance& order) {
  post([this, id = InstanceId(order.instance()), drain = std::chrono::milliseconds(order.drain_ms())] {
    handle_stop(id, drain);
  });
}

void NodeInstances::recall_burst(const wire::RecallBurst& order) {
  post([this, order] {
    const auto* record = find(InstanceId(order.instance()));
    if (record == nullptr || !record->agent) return;
    wire::InstanceCommand command;
    *command.mutable_recall() = order;
    send(*record, std::move(command));
  });
}

void NodeInstances::exited(const wire::InstanceExited& event) {
  post([this, event, how = describe_exit(event.status(), event.note())] {
    const InstanceId id(event.instance());
    handle_exit(id, how);
    if (event.no_identity()) give_up(id);
  });
}

Result<Admission> NodeInstances::admit(const wire::InstanceReady& ready, std::shared_ptr<Agent> agent) {
  if (ready.addresses_size() < 1 || ready.addresses_size() > kMaxAddresses) {
    return make_error(Code::kInvalidArgument, "an instance has 1 to {} addresses, not {}", kMaxAddresses,
                      ready.addresses_size());
  }
  for (const auto& address : ready.addresses()) TCFDL_TRY(wire::parse_address(address));
  Admission admission;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = tokens_.find(ready.token());
    if (found == tokens_.end()) return Error(Code::kUnauthenticated, "the token is of no instance that starts");
    admission = std::move(found->second);
    tokens_.erase(found);
  }
  post([this, admission, ready, agent = std::move(agent)] { handle_ready(admission, ready, agent); });
  return admission;
}

void NodeInstances::agent_lost(const Admission& admission) {
  post([this, admission] {
    auto* record = find(admission.instance, admission.run);
    if (record == nullptr) return;
    record->agent.reset();
    if (record->life.state() == State::kReady) fail(*record, std::string(kConnectionEnded));
  });
}

void NodeInstances::task_event(const Admission& admission, wire::TaskEvent event) {
  event.set_instance(admission.instance.str());
  reporter_.task_event(event);
}

std::uint32_t NodeInstances::millis_until(TimePoint when) const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - queue_.now()).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0));
}

std::vector<wire::InstanceStatus> NodeInstances::status() const {
  std::vector<wire::InstanceStatus> result;
  std::vector<std::vector<std::filesystem::path>> groups;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, record] : records_) {
      auto& status = result.emplace_back();
      groups.push_back(record.groups);
      status.set_instance(id.str());
      status.set_function(record.descriptor.name());
      status.set_version(record.descriptor.version());
      status.set_state(static_cast<wire::InstanceState>(record.life.state()));
      for (const auto& address : record.addresses) status.add_addresses(address);
      status.set_pid(record.pid);
      status.set_restarts(record.restarts);
      status.set_last_error(record.last_error);
      status.set_failures(record.backoff.failures());
      if (record.life.state() == State::kBackingOff) status.set_retry_in_ms(millis_until(record.retry_at));
    }
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i].pid() != 0) fill_usage(result[i], groups[i]);
  }
  return result;
}

wire::Logs NodeInstances::read_logs(const wire::ReadLogs& request) const {
  const auto function = parse_function_name(request.function());
  if (!function) return {};
  return request.has_after() ? logs_.read_on(*function, request.after(), request.max_bytes())
                             : logs_.read(*function, request.max_bytes());
}

void NodeInstances::handle_start(const wire::StartInstance& order, wire::Descriptor descriptor) {
  const InstanceId id(order.instance());
  const auto [at, is_new] = records_.try_emplace(id, id, settings_.backoff);
  if (!is_new) return;
  auto& record = at->second;
  record.order = order;
  record.descriptor = std::move(descriptor);
  spdlog::info("instance {}: STARTING, {} version {}", id, record.descriptor.name(), record.descriptor.version());
  launch(record);
}

void NodeInstances::launch(Record& record) {
  ++record.run;
  record.launching = true;
  record.exit_told = false;
  record.retry_due = false;
  record.token = make_token();
  tokens_[record.token] = {record.id, record.run};
  changed_ = true;
  executor_.run([this, id = record.id, run = record.run, order = make_launch(record)] {
    auto process = launch_blocking(order);
    const bool launched = process.has_value();
    post([this, id, run, process = std::move(process)] { handle_launched(id, run, process); });
    std::unique_lock lock(mutex_);
    const bool unheard = stopped_; // nobody handles the event any more
    lock.unlock();
    if (launched && unheard) kill_blocking(id);
  });
}

wire::LaunchInstance NodeInstances::make_launch(const Record& record) const {
  wire::LaunchInstance launch;
  launch.set_instance(record.id.str());
  launch.set_manifest(record.order.manifest());
  *launch.mutable_descriptor() = record.order.descriptor();
  launch.set_role(wire::ROLE_INSTANCE);
  *launch.mutable_limits() = record.order.limits();
  auto& environment = *launch.mutable_environment();
  for (const auto& [name, value] : settings_.environment) environment[name] = value;
  environment["TCFDL_INSTANCE"] = record.id.str();
  environment["TCFDL_FUNCTION"] = record.descriptor.name();
  environment["TCFDL_AGENT_TOKEN"] = record.token;
  environment["TCFDL_CONCURRENCY"] = std::to_string(std::max(1U, record.descriptor.concurrency()));
  return launch;
}

Result<wire::LaunchedInstance> NodeInstances::launch_blocking(wire::LaunchInstance order) {
  TCFDL_ASSIGN(const auto log,
               logs_.prepare(FunctionName(order.environment().at("TCFDL_FUNCTION")), InstanceId(order.instance())));
  TCFDL_ASSIGN(const auto directory,
               bundles_.prepare(as_bytes(order.manifest()), Deadline::after(settings_.prepare_timeout)));
  order.set_log(log.string());
  order.set_directory(directory.string());
  return proxy_.launch(order, Deadline::after(settings_.launch_timeout));
}

void NodeInstances::handle_launched(const InstanceId& id, std::uint64_t run,
                                    const Result<wire::LaunchedInstance>& process) {
  auto* record = find(id, run);
  if (record == nullptr) return;
  record->launching = false;
  changed_ = true;
  if (process && !record->exit_told) {
    record->alive = true;
    record->pid = process->pid();
    record->groups.assign(process->groups().begin(), process->groups().end());
  }
  if (record->life.state() == State::kStopped) {
    kill(*record);
    return forget_if_over(*record);
  }
  if (!process && record->life.state() == State::kStarting) {
    fail(*record, "not launched: " + process.error().to_string());
  } else if (record->life.state() == State::kStarting) {
    post_after(ready_within(*record), [this, id, run] { handle_overdue(id, run); });
  } else if (record->life.state() == State::kBackingOff) {
    kill(*record);
    if (record->retry_due && !record->alive) handle_retry(id, run);
  }
}

void NodeInstances::handle_ready(const Admission& admission, const wire::InstanceReady& ready,
                                 std::shared_ptr<Agent> agent) {
  auto* record = find(admission.instance, admission.run);
  if (record == nullptr || record->life.state() != State::kStarting) return;
  record->agent = std::move(agent);
  record->addresses.assign(ready.addresses().begin(), ready.addresses().end());
  record->ready_at = queue_.now();
  record->life.move(State::kReady, "it answered");
  record->answered_at = record->ready_at;
  if (ready.answers()) watch(*record);
  changed_ = true;
}

void NodeInstances::handle_overdue(const InstanceId& id, std::uint64_t run) {
  auto* record = find(id, run);
  if (record == nullptr || record->life.state() != State::kStarting) return;
  fail(*record, fmt::format("not ready {} s after its launch", ready_within(*record).count() / 1000));
}

/// A run that should go on is over: another follows after a delay.
void NodeInstances::fail(Record& record, std::string why) {
  if (record.life.state() == State::kReady) record.backoff.ran(queue_.now() - record.ready_at);
  record.life.move(State::kBackingOff, why);
  why.resize(std::min(why.size(), kMaxErrorText));
  record.last_error = std::move(why);
  record.failed_at = queue_.now();
  record.agent.reset();
  record.addresses.clear();
  tokens_.erase(record.token);
  changed_ = true;
  kill(record);
  const auto delay = record.backoff.next(random_unit());
  record.retry_at = queue_.now() + delay;
  post_after(delay, [this, id = record.id, run = record.run] { handle_retry(id, run); });
}

void NodeInstances::handle_retry(const InstanceId& id, std::uint64_t run) {
  auto* record = find(id, run);
  if (record == nullptr || record->life.state() != State::kBackingOff || record->given_up) return;
  const auto latest = record->failed_at + settings_.exit_timeout;
  if (record->launching || (record->alive && queue_.now() < latest)) {
    record->retry_due = true;
    const auto until = record->launching ? queue_.now() + settings_.exit_timeout : latest;
    queue_.post_at(until, [this, id, run] { handle([this, id, run] { handle_retry(id, run); }); });
    return;
  }
  record->alive = false;
  record->pid = 0;
  ++record->restarts;
  record->life.move(State::kStarting, fmt::format("restart {}", record->restarts));
  launch(*record);
}

void NodeInstances::handle_exit(const InstanceId& id, const std::string& how) {
  auto* record = find(id);
  if (record == nullptr) return;
  record->exit_told = true;
  record->alive = false;
  record->pid = 0;
  changed_ = true;
  switch (record->life.state()) {
  case State::kStarting:
  case State::kReady: return fail(*record, how);
  case State::kBackingOff:
    // A dying process closes its connection first; how it died tells more.
    if (record->last_error == kConnectionEnded) record->last_error = fmt::format("{}, {}", kConnectionEnded, how);
    if (record->retry_due) handle_retry(id, record->run);
    return;
  case State::kDraining: record->life.move(State::kStopped, how); [[fallthrough]];
  case State::kStopped: forget_if_over(*record);
  }
}

void NodeInstances::handle_stop(const InstanceId& id, std::chrono::milliseconds drain_for) {
  auto* record = find(id);
  if (record == nullptr || record->life.state() == State::kStopped) return;
  const bool draining = record->life.state() == State::kDraining;
  if (record->life.state() == State::kReady && record->agent && drain_for.count() > 0) {
    drain(*record, drain_for);
  } else if (!draining || drain_for.count() == 0) {
    end(*record, "stopped");
  }
}

void NodeInstances::send(const Record& record, wire::InstanceCommand command) {
  executor_.run([agent = record.agent, id = record.id, command = std::move(command)] {
    const auto sent = agent->send(command, Deadline::after(std::chrono::seconds(2)));
    if (!sent) spdlog::warn("instance {}: cannot tell it what to do: {}", id, sent.error().to_string());
  });
}

void NodeInstances::drain(Record& record, std::chrono::milliseconds within) {
  record.life.move(State::kDraining, "stopped");
  changed_ = true;
  wire::InstanceCommand command;
  command.mutable_drain()->set_within_ms(static_cast<std::uint32_t>(within.count()));
  send(record, std::move(command));
  post_after(within, [this, id = record.id] {
    auto* late = find(id);
    if (late != nullptr && late->life.state() == State::kDraining) end(*late, "the time to drain is over");
  });
}

/// Under this name no identity is to be had; the master starts an instance under another, for which there may be a
/// slot. First it hears why.
void NodeInstances::give_up(const InstanceId& id) {
  auto* record = find(id);
  if (record == nullptr || record->life.state() != State::kBackingOff) return;
  record->given_up = true;
  post_after(settings_.give_up_after, [this, id, run = record->run] {
    auto* failed = find(id, run);
    if (failed != nullptr && failed->life.state() == State::kBackingOff) end(*failed, "it has no identity");
  });
}

/// For good: nothing follows but its exit.
void NodeInstances::end(Record& record, std::string_view why) {
  record.life.move(State::kStopped, why);
  record.agent.reset();
  record.addresses.clear();
  tokens_.erase(record.token);
  changed_ = true;
  kill(record);
  post_after(settings_.exit_timeout, [this, id = record.id, run = record.run] {
    auto* left = find(id, run);
    if (left == nullptr || left->life.state() != State::kStopped) return;
    left->alive = false;
    forget_if_over(*left);
  });
  forget_if_over(record);
}

void NodeInstances::kill(const Record& record) {
  if (!record.alive) return;
  executor_.run([this, id = record.id] { kill_blocking(id); });
}

void NodeInstances::forget_if_over(Record& record) {
  if (record.alive || record.launching) return;
  tokens_.erase(record.token);
  changed_ = true;
  records_.erase(InstanceId(record.id));
}

} // namespace tcfdl::instance_manager
