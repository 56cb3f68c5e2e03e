// A newer version of a function on trial beside the one in force.
#include "base/log.hpp"
#include "instance_manager/cluster_instances.hpp"
#include "instance_manager/names.hpp"

#include <algorithm>
#include <numeric>

namespace tcfdl::instance_manager {

ClusterInstances::Trial::Trial() = default;

std::size_t ClusterInstances::Trial::failed_runs() const {
  return std::accumulate(failures.begin(), failures.end(), std::size_t{0},
                         [](std::size_t sum, const auto& each) { return sum + each.second; });
}

Status ClusterInstances::begin_trial(const WantedFunction& wanted) {
  TCFDL_ASSIGN(auto descriptor, wire::parse<wire::Descriptor>(wanted.descriptor.statement()));
  TCFDL_ASSIGN(const auto name, parse_function_name(descriptor.name()));
  {
    const std::scoped_lock lock(mutex_);
    const auto found = functions_.find(name);
    if (found == functions_.end()) return make_error(Code::kNotFound, "no function {} in this cluster", name);
    auto& trial = found->second.trial.emplace();
    trial.what = wanted;
    trial.descriptor = std::move(descriptor);
    trial.not_ready_since = queue_.now();
    spdlog::info("instances: version {} of {} is on trial", trial.descriptor.version(), name);
  }
  post([] {});
  return {};
}

void ClusterInstances::end_trial(const FunctionName& function, std::uint64_t version) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = functions_.find(function);
    if (found == functions_.end()) return;
    auto& trial = found->second.trial;
    if (trial && trial->descriptor.version() == version) trial.reset();
  }
  post([] {});
}

void ClusterInstances::note_trial(const InstanceId& id, const wire::InstanceStatus& status) {
  const auto wanted = functions_.find(FunctionName(status.function()));
  if (wanted == functions_.end()) return;
  auto& on_trial = wanted->second.trial;
  if (!on_trial) return;
  auto& trial = *on_trial;
  if (status.version() != trial.descriptor.version() || status.failures() == 0) return;
  auto& failures = trial.failures[id];
  failures = std::max(failures, status.failures());
  if (!status.last_error().empty()) trial.last_failure = fmt::format("{}: {}", id, status.last_error());
}

/// What is newer than the version in force and not on trial has been given up.
void ClusterInstances::reconcile_trial(const FunctionName& name, Wanted& wanted, std::vector<InstanceView> newer) {
  std::vector<InstanceView> tried;
  for (auto& each : newer) {
    if (wanted.trial && each.version == wanted.trial->descriptor.version()) {
      tried.push_back(std::move(each));
    } else if (const auto known = known_.find(each.id); known != known_.end()) {
      order_stop(known->first, known->second);
    }
  }
  if (!wanted.trial) return;
  auto& trial = *wanted.trial;
  const auto scale = std::max<std::size_t>(wanted.what.scale, 1);
  const auto plan = make_plan(trial.descriptor.version(), scale, tried, choices_for(trial));
  for (const auto& id : plan.stop) {
    if (const auto known = known_.find(id); known != known_.end()) order_stop(id, known->second);
  }
  for (const auto& node : plan.start) order_start(name, trial, node);
  trial.ready = static_cast<std::size_t>(std::ranges::count(tried, true, &InstanceView::ready));
  trial.needed = std::max<std::size_t>(scale - std::min(scale, plan.unplaced), 1);
  judge_trial(name, wanted, plan.unplaced);
}

/// Why the trial has failed; nullopt while it has not.
std::optional<std::string> ClusterInstances::trial_failure(const Trial& trial) const {
  const auto& health = trial.what.health;
  if (const auto failures = trial.failed_runs(); failures >= health.failures) {
    return fmt::format("{} runs of its instances failed, the last of {}", failures, trial.last_failure);
  }
  if (trial.ready >= trial.needed || queue_.now() - trial.not_ready_since < health.ready_within) return std::nullopt;
  auto text = fmt::format("{} of {} instances were ready after {} s", trial.ready, trial.needed,
                          health.ready_within.count() / 1000);
  if (!trial.last_failure.empty()) text += ", the last failure: " + trial.last_failure;
  return text;
}

void ClusterInstances::judge_trial(const FunctionName& name, Wanted& wanted, std::size_t unplaced) {
  if (!wanted.trial || wanted.trial->decided) return;
  auto& trial = *wanted.trial;
  const auto now = queue_.now();
  TrialEnd end{.function = name, .version = trial.descriptor.version(), .failure = {}};
  if (auto failure = trial_failure(trial)) {
    const auto nowhere = unplaced > 0 ? why_nowhere(trial) : std::string();
    end.failure = nowhere.empty() ? *std::move(failure) : fmt::format("{}; {}", *failure, nowhere);
    wanted.trial.reset();
    for (auto& [id, known] : known_) {
      const auto& status = known.status;
      if (status.function() == name.str() && status.version() == end.version) order_stop(id, known);
    }
  } else if (trial.ready < trial.needed) {
    trial.ready_since.reset();
    return;
  } else {
    trial.not_ready_since = now;
    if (!trial.ready_since) trial.ready_since = now;
    if (now - *trial.ready_since < trial.what.health.trial) return;
    trial.decided = true;
  }
  outbox_.emplace_back([this, end] { events_.on_trial_ended(end); });
}

} // namespace tcfdl::instance_manager
