// Connections to instances, kept for the next task.
#pragma once

#include "base/guarded.hpp"
#include "sdk/identity.hpp"
#include "sdk/ports.hpp"

#include <map>
#include <set>
#include <vector>

namespace tcfdl::sdk {

/// A connection after the instance's hello. Used by one call at a time.
struct InstanceConnection {
  std::unique_ptr<wire::Connection> connection;
  wire::Hello hello;
  bool proven = false;            ///< possession of the caller's key was shown
  std::set<std::string> capsules; ///< ids that the instance has
};

/// Thread-safe.
class InstancePool {
public:
  InstancePool(TaskManager& task_manager) : task_manager_(task_manager) {}

  /// An idle connection to the instance of a grant, or a new one by its best route that answers.
  Result<std::unique_ptr<InstanceConnection>> take(const wire::LeaseGrant& grant, Deadline deadline);
  void give_back(const std::string& instance, std::unique_ptr<InstanceConnection> connection);

private:
  Result<std::unique_ptr<wire::Connection>> open(const wire::LeaseGrant& grant, Deadline deadline);

  TaskManager& task_manager_;
  Guarded<std::map<std::string, std::vector<std::unique_ptr<InstanceConnection>>>> idle_;
};

} // namespace tcfdl::sdk
