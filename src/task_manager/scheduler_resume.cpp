// The part of the scheduler that serves tasks which outlive it: those that the master keeps on disk.
#include "task_manager/scheduler.hpp"

namespace tcfdl::task_manager {

std::shared_ptr<const FunctionPolicy> Scheduler::policy_of(const FunctionName& name) const {
  const auto found = functions_.find(name);
  if (found == functions_.end() || found->second.policies.empty()) return nullptr;
  return found->second.policies.at(found->second.serving);
}

bool Scheduler::resume(const wire::LeaseRequest& request, const InstanceId& instance) {
  const auto* known = find_instance(instance);
  if (known == nullptr || known->info->function.str() != request.function()) return false;
  const auto now = time_.steady();
  const auto key = TaskHistory::key(request.caller(), request.task_id());
  if (auto* record = history_.find(key, now)) {
    record->started = record->started || record->instance == instance;
    return true;
  }
  history_.put(key,
               {.function = known->info->function,
                .cluster = {},
                .instance = instance,
                .incarnation = known->incarnation,
                .lease_id = {},
                .started = true},
               now + settings_.retention);
  return true;
}

} // namespace tcfdl::task_manager
