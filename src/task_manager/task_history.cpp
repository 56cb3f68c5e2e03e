#include "task_manager/task_history.hpp"

namespace tcfdl::task_manager {

std::string TaskHistory::key(const std::string& caller, const std::string& task_id) { return task_id + '/' + caller; }

TaskRecord* TaskHistory::find(const std::string& key, TimePoint now) {
  while (!entries_.empty() && entries_.begin()->first <= now) forget_first();
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &found->second->second.record;
}

void TaskHistory::put(const std::string& key, TaskRecord record, TimePoint expires) {
  erase(key);
  while (!entries_.empty() && entries_.size() >= capacity_) forget_first();
  index_[key] = entries_.emplace(expires, Entry{key, std::move(record)});
}

void TaskHistory::erase(const std::string& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  entries_.erase(found->second);
  index_.erase(found);
}

void TaskHistory::forget_first() {
  index_.erase(entries_.begin()->second.key);
  entries_.erase(entries_.begin());
}

} // namespace tcfdl::task_manager
