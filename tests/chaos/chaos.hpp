// What tests under faults share: a cluster with two workers under load, its processes, and its state as operators see
// it.
#pragma once

#include "support/load.hpp"
#include "support/platform.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <optional>

namespace tcfdl::test {

/// How often each fault is made: TCFDL_CHAOS_ROUNDS, else 1.
unsigned chaos_rounds();

/// Who can be killed or stopped. An instance is one of several, worker and proxy are of one node of two.
enum class Part : std::uint8_t { kInstance, kProxy, kWorker, kBroker, kMaster, kServiceManager, kGateway };
std::string part_name(Part part);

class Chaos : public testing::Test {
protected:
  explicit Chaos(const std::string& topology = {}) : platform_(topology.empty() ? default_topology() : topology) {}
  /// Starts the platform with the functions `once`, which may not run twice, and `again`, which is idempotent.
  void SetUp() override;
  void deploy_functions();

  static std::string default_topology();
  /// Of a function around `chaos_function`.
  void deploy(const std::string& name, const std::string& more);
  /// Sorted pids of a function's instances, or of all.
  [[nodiscard]] std::vector<pid_t> instances(const std::string& function = {}) const;
  /// The process that plays a part now, of `once` where it is an instance; 0 while there is none.
  [[nodiscard]] pid_t process_of(Part part) const;
  /// Sends a signal to the process that plays a part, and returns it.
  pid_t signal(Part part, int number);
  /// Whether the part is played by another process than this one.
  [[nodiscard]] bool is_replaced(Part part, pid_t before) const;

  /// What must be the same before and after a fault: functions with their bounds and versions, nodes with their drains,
  /// clients with their grants, access, stored tasks.
  Json durable_state();
  /// The audit's records, oldest first.
  std::vector<Json> audit();

  Platform platform_;
  Journal journal_;
  std::unique_ptr<Client> client_;
};

} // namespace tcfdl::test
