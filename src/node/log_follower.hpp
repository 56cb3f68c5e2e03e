// The output of a function's instances as it comes, from all nodes.
#pragma once

#include "api_service/ports.hpp"
#include "function_manager/function_manager.hpp"
#include "instance_manager/cluster_instances.hpp"
#include "node/master_adapters.hpp"

#include <map>

namespace tcfdl::node {

/// Asks each node twice a second, until the function is removed. What it refers to outlives it.
class NodeLogFollower final : public api_service::LogFollower {
public:
  NodeLogFollower(function_manager::FunctionManager& functions, const instance_manager::ClusterInstances& instances,
                  NodeCommander& commander, FunctionName function, std::size_t bytes)
      : functions_(functions), instances_(instances), commander_(commander), function_(std::move(function)),
        bytes_(bytes) {}

  std::optional<api_service::Json> next(const std::stop_token& gone) override;

private:
  api_service::Json read_all();
  [[nodiscard]] wire::ReadLogs question(const std::string& node) const;

  function_manager::FunctionManager& functions_;
  const instance_manager::ClusterInstances& instances_;
  NodeCommander& commander_;
  const FunctionName function_;
  const std::size_t bytes_;
  std::map<std::string, wire::LogPositions> after_; ///< by node
};

} // namespace tcfdl::node
