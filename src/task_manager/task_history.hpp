// Which tasks were leased where, so that a repeated id meets its first run.
#pragma once

#include "base/ids.hpp"

#include <chrono>
#include <map>
#include <unordered_map>

namespace tcfdl::task_manager {

struct TaskRecord {
  FunctionName function;
  ClusterId cluster; ///< empty: ours
  InstanceId instance;
  std::uint64_t incarnation = 0; ///< of the instance: a restarted process holds no outcomes
  std::string lease_id;
  bool started = false;
  /// Its instance went while the lease was neither seen to start nor given back.
  bool may_have_started = false;
};

/// Task ids scoped by caller, each kept until its time and all up to a number; what expires first goes first. Not
/// thread-safe.
class TaskHistory {
public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit TaskHistory(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] static std::string key(const std::string& caller, const std::string& task_id);

  /// Null when the task is not known. Valid until the next call.
  TaskRecord* find(const std::string& key, TimePoint now);
  /// The key of the task that the lease was for; empty for none.
  [[nodiscard]] std::string key_of_lease(const std::string& lease_id) const;
  /// Enters or replaces a record.
  void put(const std::string& key, TaskRecord record, TimePoint expires);
  void erase(const std::string& key);
  [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }

private:
  struct Entry {
    std::string key;
    TaskRecord record;
  };
  using Entries = std::multimap<TimePoint, Entry>; // by expiry
  void forget(Entries::iterator entry);

  std::size_t capacity_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> index_;
  std::unordered_map<std::string, std::string> leases_; // their tasks' keys, of records that have one
};

} // namespace tcfdl::task_manager
