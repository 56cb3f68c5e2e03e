#include "task_manager/task_history.hpp"

namespace tcfdl::task_manager {

std::string TaskHistory::key(const std::string& caller, const std::string& task_id) { return task_id + '/' + caller; }

TaskRecord* TaskHistory::find(const std::string& key, TimePoint now) {
  while (!entries_.empty() && entries_.begin()->first <= now) forget(entries_.begin());
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &found->second->second.record;
}

void TaskHistory::put(const std::string& key, TaskRecord record, TimePoint expires) {
  erase(key);
  while (!entries_.empty() && entries_.size() >= capacity_) forget(entries_.begin());
  if (!record.lease_id.empty()) leases_[record.lease_id] = key;
  index_[key] = entries_.emplace(expires, Entry{key, std::move(record)});
}

void TaskHistory::erase(const std::string& key) {
  const auto found = index_.find(key);
  if (found != index_.end()) forget(found->second);
}

std::string TaskHistory::key_of_lease(const std::string& lease_id) const {
  const auto found = leases_.find(lease_id);
  return found == leases_.end() ? std::string() : found->second;
}

void TaskHistory::forget(Entries::iterator entry) {
  leases_.erase(entry->second.record.lease_id);
  index_.erase(entry->second.key);
  entries_.erase(entry);
}

} // namespace tcfdl::task_manager
