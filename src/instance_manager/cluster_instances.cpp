#include "instance_manager/cluster_instances.hpp"

#include "base/log.hpp"
#include "instance_manager/names.hpp"

#include <algorithm>

namespace tcfdl::instance_manager {
namespace {

bool ends(const wire::InstanceStatus& status) {
  return status.state() == wire::INSTANCE_STATE_DRAINING || status.state() == wire::INSTANCE_STATE_STOPPED;
}

bool same_run(const wire::InstanceStatus& a, const wire::InstanceStatus& b) {
  return a.restarts() == b.restarts() && std::ranges::equal(a.addresses(), b.addresses());
}

} // namespace

ClusterInstances::ClusterInstances(ClusterInstancesSettings settings, NodeCommands& nodes, InstanceEvents& events,
                                   Executor& executor, EventQueue::Now now)
    : settings_(settings), commands_(nodes), events_(events), executor_(executor),
      queue_("cluster-insts", std::move(now)) {
  queue_.post([this] { handle_tick(); });
}

void ClusterInstances::post(Handler handler) {
  queue_.post([this, handler = std::move(handler)] {
    std::vector<Handler> outbox;
    {
      const std::scoped_lock lock(mutex_);
      handler();
      reconcile();
      outbox.swap(outbox_);
    }
    for (const auto& tell : outbox) tell();
  });
}

void ClusterInstances::expect_nodes(const std::vector<std::string>& nodes) {
  {
    const std::scoped_lock lock(mutex_);
    expected_ = {nodes.begin(), nodes.end()};
    expected_until_ = queue_.now() + settings_.first_reports;
  }
  post([this, nodes] { // who is idle would not report for a while
    for (const auto& node : nodes) outbox_.emplace_back([this, node] { commands_.ask_status(NodeId(node)); });
  });
}

Status ClusterInstances::set_function(const WantedFunction& wanted) {
  TCFDL_ASSIGN(auto descriptor, wire::parse<wire::Descriptor>(wanted.descriptor.statement()));
  TCFDL_ASSIGN(auto name, parse_function_name(descriptor.name()));
  {
    const std::scoped_lock lock(mutex_);
    auto& known = functions_[name];
    known.what = wanted;
    known.descriptor = std::move(descriptor);
    known.problem.clear();
    if (known.trial && known.trial->descriptor.version() <= known.descriptor.version()) known.trial.reset();
  }
  post([] {});
  return {};
}

Status ClusterInstances::set_scale(const FunctionName& function, std::size_t scale, std::size_t keep) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = functions_.find(function);
    if (found == functions_.end()) return make_error(Code::kNotFound, "no function {} in this cluster", function);
    auto& what = found->second.what;
    if (what.scale == scale && what.keep == keep) return {};
    what.scale = scale;
    what.keep = keep;
  }
  post([] {});
  return {};
}

Status ClusterInstances::set_warm(const FunctionName& function, std::size_t warm) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = functions_.find(function);
    if (found == functions_.end()) return make_error(Code::kNotFound, "no function {} in this cluster", function);
    found->second.what.warm = warm;
  }
  post([] {});
  return {};
}

void ClusterInstances::remove_function(const FunctionName& function) {
  {
    const std::scoped_lock lock(mutex_);
    functions_.erase(function);
  }
  post([] {});
}

void ClusterInstances::set_drained(std::set<NodeId> nodes) {
  {
    const std::scoped_lock lock(mutex_);
    drained_ = std::move(nodes);
  }
  post([] {});
}

void ClusterInstances::on_node_status(const wire::NodeStatus& status) {
  if (const auto named = check_label(status.node(), "a node's name"); !named) {
    spdlog::warn("instances: refused a heartbeat: {}", named.error().to_string());
    return;
  }
  post([this, status] { handle_status(status); });
}

void ClusterInstances::remove_node(const NodeId& node, const std::string& reason) {
  post([this, node, reason] {
    if (nodes_.contains(node)) drop_node(node, reason);
    lost_.erase(node);
  });
}

void ClusterInstances::handle_tick() {
  post([this] {
    forgive_own_pause();
    const auto now = queue_.now();
    lose_silent_nodes();
    ask_lost_nodes();
    std::erase_if(ordered_, [&](const auto& each) { return now - each.second.since >= settings_.reported_within; });
  });
  const auto period = std::chrono::duration<double, std::milli>(settings_.reconcile_every) * (0.9 + random_unit() / 5);
  queue_.post_at(queue_.now() + std::chrono::duration_cast<std::chrono::milliseconds>(period),
                 [this] { handle_tick(); });
}

/// While this process was stopped it heard nobody: what nodes said meanwhile is read in a moment.
void ClusterInstances::forgive_own_pause() {
  const auto now = queue_.now();
  const auto gap = now - std::exchange(ticked_, now);
  if (gap < 4 * settings_.reconcile_every) return;
  for (auto& [id, node] : nodes_) node.seen = std::min(now, node.seen + gap);
}

void ClusterInstances::handle_status(const wire::NodeStatus& report) {
  if (report.unchanged()) return confirm(report);
  const NodeId id(report.node());
  lost_.erase(id);
  const auto [at, is_new] = nodes_.try_emplace(id);
  if (is_new) spdlog::info("instances: node {} is here ({}, TEE {})", id, report.role(), report.tee_kind());
  expected_.erase(report.node());
  at->second.status = report;
  at->second.seen = queue_.now();
  at->second.measured_at = queue_.now();
  at->second.probed = false;
  std::vector<InstanceId> missing;
  for (const auto& [instance, known] : known_) {
    const auto same = [&](const auto& each) { return each.instance() == instance.str(); };
    if (known.node == id && std::ranges::none_of(report.instances(), same)) missing.push_back(instance);
  }
  for (const auto& instance : missing) drop_instance(instance, "it ended");
  for (const auto& status : report.instances()) update(id, status);
}

void ClusterInstances::update(const NodeId& node, const wire::InstanceStatus& status) {
  if (!check_instance_id(status.instance()) || !parse_function_name(status.function())) return;
  const InstanceId id(status.instance());
  const auto ordered = ordered_.find(id);
  const auto other = known_.find(id);
  if ((ordered != ordered_.end() && ordered->second.node != node) ||
      (other != known_.end() && other->second.node != node)) {
    spdlog::warn("instances: node {} reports {}, which is another node's", node, id);
    return;
  }
  const bool was_ordered = ordered_.erase(id) > 0;
  const auto [at, is_new] = known_.try_emplace(id);
  auto& known = at->second;
  if (is_new) known.found = !was_ordered;
  const auto before = std::exchange(known.status, status);
  known.node = node;
  measure(known, before);
  const bool ready = status.state() == wire::INSTANCE_STATE_READY;
  if (is_new || before.state() == wire::INSTANCE_STATE_READY) known.not_ready_since = queue_.now();
  note_trial(id, status);
  if (!ready) note_problem(status);
  announce(id, known, before);
}

void ClusterInstances::announce(const InstanceId& id, Known& known, const wire::InstanceStatus& before) {
  const auto& status = known.status;
  if (status.state() == wire::INSTANCE_STATE_DRAINING) {
    if (known.announced && !std::exchange(known.drain_told, true)) {
      outbox_.emplace_back([this, id] { events_.on_draining(id); });
    }
    return;
  }
  if (status.state() != wire::INSTANCE_STATE_READY) {
    return withdraw(id, known, status.last_error().empty() ? "it is not ready" : status.last_error());
  }
  if (known.announced && same_run(before, status)) return;
  withdraw(id, known, "it restarted");
  const auto wanted = functions_.find(FunctionName(status.function()));
  const bool may_wait = wanted != functions_.end() && wanted->second.what.warm > 0 &&
                        wanted->second.descriptor.version() == status.version();
  if (!known.stop_since && !may_wait) take_up(id, known);
}

void ClusterInstances::withdraw(const InstanceId& id, Known& known, const std::string& reason) {
  if (!std::exchange(known.announced, false)) return;
  known.drain_told = false;
  outbox_.emplace_back([this, id, reason] { events_.on_gone(id, reason); });
}

void ClusterInstances::note_problem(const wire::InstanceStatus& status) {
  const auto wanted = functions_.find(FunctionName(status.function()));
  if (wanted == functions_.end() || status.last_error().empty()) return;
  if (status.version() > wanted->second.descriptor.version()) return; // on trial
  wanted->second.fits_nowhere = false;
  wanted->second.problem =
      fmt::format("{}: {} ({} restarts)", status.instance(), status.last_error(), status.restarts());
}

void ClusterInstances::drop_instance(const InstanceId& id, const std::string& reason) {
  const auto found = known_.find(id);
  withdraw(id, found->second, reason);
  known_.erase(found);
}

void ClusterInstances::drop_node(const NodeId& node, const std::string& why) {
  const auto reason = fmt::format("node {} is lost: {}", node, why);
  spdlog::warn("instances: {}", reason);
  nodes_.erase(node);
  std::vector<InstanceId> gone;
  for (const auto& [id, known] : known_) {
    if (known.node == node) gone.push_back(id);
  }
  for (const auto& id : gone) drop_instance(id, reason);
  std::erase_if(ordered_, [&](const auto& each) { return each.second.node == node; });
}

void ClusterInstances::reconcile() {
  stop_unwanted();
  rooms_ = measure_rooms();
  relieve();
  for (auto& [name, wanted] : functions_) {
    reconcile(name, wanted);
    tell_problem(name, wanted);
  }
}

void ClusterInstances::stop_unwanted() {
  for (auto& [id, known] : known_) {
    const bool repeat = known.stop_since && queue_.now() >= known.stop_again;
    if (repeat || !functions_.contains(FunctionName(known.status.function()))) order_stop(id, known);
  }
}

void ClusterInstances::reconcile(const FunctionName& name, Wanted& wanted) {
  auto views = views_of(name);
  const auto newer = std::ranges::stable_partition(
      views, [&](const auto& each) { return each.version <= wanted.descriptor.version(); });
  std::vector<InstanceView> tried(newer.begin(), newer.end());
  views.erase(newer.begin(), newer.end());
  if (views.size() > wanted.what.scale + wanted.what.warm) {
    for (auto& each : views) each.busy = events_.has_tasks(each.id);
  }
  const auto plan = make_plan(wanted.descriptor.version(), wanted.what.scale, views, choices_for(wanted),
                              wanted.what.keep, wanted.what.warm);
  for (const auto& id : plan.stop) {
    if (const auto known = known_.find(id); known != known_.end()) order_stop(id, known->second);
  }
  for (const auto& node : plan.start) order_start(name, wanted, node);
  const auto ready = std::ranges::count_if(
      views, [&](const auto& each) { return each.ready && each.version == wanted.descriptor.version(); });
  take_up_missing(name, wanted);
  judge(name, wanted, plan, static_cast<std::size_t>(ready));
  reconcile_trial(name, wanted, std::move(tried));
}

std::vector<InstanceView> ClusterInstances::views_of(const FunctionName& name) const {
  std::vector<InstanceView> views;
  for (const auto& [id, known] : known_) {
    if (known.status.function() != name.str() || known.stop_since || ends(known.status)) continue;
    const bool ready = known.status.state() == wire::INSTANCE_STATE_READY;
    const bool first_start = known.status.state() == wire::INSTANCE_STATE_STARTING && known.status.restarts() == 0;
    const bool fresh = queue_.now() - known.not_ready_since < settings_.replace_after;
    views.push_back({.id = id,
                     .node = known.node,
                     .version = known.status.version(),
                     .ready = ready,
                     .counts = ready || first_start || fresh,
                     .leaves = leaves(id, known.node),
                     .warm = is_warm(known)});
  }
  for (const auto& [id, ordered] : ordered_) {
    if (ordered.function != name) continue;
    views.push_back({.id = id,
                     .node = ordered.node,
                     .version = ordered.version,
                     .ready = false,
                     .counts = true,
                     .leaves = leaves(id, ordered.node)});
  }
  return views;
}

void ClusterInstances::order_start(const FunctionName& name, const Version& wanted, const NodeId& node) {
  const auto id = free_slot(name, wanted.descriptor.version(), node).value_or(make_instance_id(name));
  ordered_[id] = {.function = name, .version = wanted.descriptor.version(), .node = node, .since = queue_.now()};
  wire::StartInstance order;
  order.set_instance(id.str());
  *order.mutable_descriptor() = wanted.what.descriptor;
  order.set_manifest(wanted.what.manifest);
  const auto& needs = wanted.what.needs;
  order.mutable_limits()->set_memory(needs.memory);
  order.mutable_limits()->set_processes(needs.processes);
  order.mutable_limits()->set_millicores(static_cast<std::uint32_t>(needs.millicores));
  order.mutable_limits()->set_most_millicores(needs.most_millicores);
  const auto& health = wanted.what.health;
  order.mutable_health()->set_ready_within_ms(static_cast<std::uint32_t>(health.ready_within.count()));
  order.mutable_health()->set_answer_within_ms(static_cast<std::uint32_t>(health.answer_within.count()));
  order.mutable_health()->set_overdue_ms(static_cast<std::uint32_t>(health.overdue.count()));
  rooms_[node].reserve(needs, 0);
  spdlog::info("instances: {} starts on node {}", id, node);
  outbox_.emplace_back([this, id, node, order = std::move(order)] {
    executor_.run([this, id, node, order] {
      const auto taken = commands_.start(node, order, Deadline::after(settings_.command_timeout));
      if (!taken) post([this, id, node, error = taken.error()] { handle_refused(id, node, error); });
    });
  });
}

/// An identity that the node holds ready for an instance that is to start there.
std::optional<InstanceId> ClusterInstances::free_slot(const FunctionName& name, std::uint64_t version,
                                                      const NodeId& node) const {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return std::nullopt;
  for (const auto& slot : found->second.status.slots()) {
    InstanceId id(slot.instance());
    const bool fits = slot.function() == name.str() && slot.version() == version && check_instance_id(slot.instance());
    if (fits && !known_.contains(id) && !ordered_.contains(id)) return id;
  }
  return std::nullopt;
}

void ClusterInstances::handle_refused(const InstanceId& id, const NodeId& node, const Error& error) {
  const auto ordered = ordered_.find(id);
  if (ordered == ordered_.end()) return;
  spdlog::warn("instances: node {} does not start {}: {}", node, id, error.to_string());
  const auto wanted = functions_.find(ordered->second.function);
  if (wanted != functions_.end()) {
    wanted->second.problem = fmt::format("node {}: {}", node, error.to_string());
    wanted->second.fits_nowhere = false;
  }
  if (const auto found = nodes_.find(node); found != nodes_.end()) {
    found->second.avoid_until = queue_.now() + settings_.avoid_node_for;
  }
  ordered_.erase(ordered);
}

/// In two steps: first nobody leads tasks there any more; when those that were on their way are over, it is to stop.
void ClusterInstances::order_stop(const InstanceId& id, Known& known) {
  const auto now = queue_.now();
  if (known.stop_since && now < known.stop_again) return;
  if (!known.stop_since) {
    spdlog::info("instances: {} on node {} stops", id, known.node);
    known.stop_since = now;
  }
  if (known.announced && !std::exchange(known.drain_told, true)) {
    known.stop_again = now;
    outbox_.emplace_back([this, id] {
      events_.on_draining(id);
      post([] {});
    });
    return;
  }
  if (ends_tasks(id, known)) {
    known.stop_again = now + settings_.reconcile_every;
    return;
  }
  known.stop_again = now + settings_.drain + settings_.command_timeout;
  wire::StopInstance order;
  order.set_instance(id.str());
  order.set_drain_ms(static_cast<std::uint32_t>(settings_.drain.count()));
  outbox_.emplace_back([this, node = known.node, order] {
    executor_.run([this, node, order] {
      const auto taken = commands_.stop(node, order, Deadline::after(settings_.command_timeout));
      if (!taken) spdlog::warn("instances: node {}: {}", node, taken.error().to_string());
    });
  });
}

/// Whether an instance that is to stop has tasks and still has time for them.
bool ClusterInstances::ends_tasks(const InstanceId& id, const Known& known) const {
  if (!known.announced || !known.stop_since) return false;
  const bool is_wanted = functions_.contains(FunctionName(known.status.function()));
  const auto patience = is_wanted ? settings_.tasks_end_within : settings_.drain;
  return queue_.now() - *known.stop_since < patience && events_.has_tasks(id);
}

ClusterView ClusterInstances::view() const {
  const std::scoped_lock lock(mutex_);
  ClusterView view;
  for (const auto& [id, node] : nodes_) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(queue_.now() - node.seen);
    view.nodes.push_back(
        {.status = node.status, .age = age, .overdue = is_overdue(node), .drained = drained_.contains(id)});
  }
  for (const auto& [name, wanted] : functions_) {
    auto& function = view.functions.emplace_back();
    function.function = name;
    function.version = wanted.descriptor.version();
    function.scale = wanted.what.scale;
    function.problem = wanted.problem;
    function.warm_wanted = wanted.what.warm;
    if (const auto& trial = wanted.trial) {
      function.trial = TrialView{trial->descriptor.version(), trial->ready, trial->needed, trial->failed_runs()};
    }
    for (const auto& [id, known] : known_) {
      if (known.status.function() != name.str()) continue;
      function.instances.emplace_back(known.node, known.status);
      if (known.status.state() != wire::INSTANCE_STATE_READY || known.status.version() != function.version) continue;
      if (is_warm(known)) {
        function.warm.insert(id.str());
      } else {
        ++function.ready;
      }
    }
  }
  return view;
}

} // namespace tcfdl::instance_manager
