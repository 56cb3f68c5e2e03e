// Functions in their three places: stored and registered, wanted as instances, open for tasks.
#pragma once

#include "function_manager/function_manager.hpp"
#include "instance_manager/cluster_instances.hpp"
#include "node/master_scaling.hpp"
#include "node/service_manager_client.hpp"
#include "security_manager/audit_log.hpp"
#include "task_manager/task_manager.hpp"

#include <set>
#include <thread>

namespace tcfdl::node {

/// The registry's port, over the service manager.
class RegisteredFunctions final : public function_manager::Registry {
public:
  RegisteredFunctions(ServiceManagerClient& service_manager, wire::LinkAddress link)
      : service_manager_(service_manager), link_(std::move(link)) {}
  Status register_function(const wire::Signed& descriptor, const std::optional<wire::KeyPackage>& content_key) override;
  Result<bool> stage_function(const wire::Signed& descriptor,
                              const std::optional<wire::KeyPackage>& content_key) override;
  Status withdraw_function(const std::string& name) override;
  Status unregister_function(const std::string& name) override;
  Result<std::vector<std::string>> renew(const std::vector<std::string>& functions) override;

private:
  ServiceManagerClient& service_manager_;
  const wire::LinkAddress link_; ///< how other clusters reach this one
};

/// Thread-safe. `restore` brings what is stored back to life; one thread renews the registration and acts on the ends
/// of trials.
class MasterFunctions {
public:
  MasterFunctions(function_manager::FunctionManager& functions, instance_manager::ClusterInstances& instances,
                  task_manager::TaskManager& tasks, MasterScaling& scaling, security_manager::AuditLog& audit)
      : functions_(functions), instances_(instances), tasks_(tasks), scaling_(scaling), audit_(audit) {}
  MasterFunctions(const MasterFunctions&) = delete;
  MasterFunctions& operator=(const MasterFunctions&) = delete;
  ~MasterFunctions() { stop(); }

  /// Opens every stored function. Called before instances are managed.
  Status restore();
  void start();
  void stop() noexcept;
  /// Tells the registry of this cluster now. An unreachable registry is only warned of.
  /// False while the registry cannot be reached. Called before `start`, then by its thread alone.
  bool renew_now();

  /// A version on trial is in force later, or is given up.
  Result<function_manager::Deployed> deploy(const function_manager::Deployment& deployment);
  /// A trial is over. Returns at once.
  void trial_ended(const instance_manager::TrialEnd& end);
  /// Other bounds for a function's instances, in force at once and kept. NOT_FOUND, INVALID_ARGUMENT.
  Result<function_manager::FunctionRecord> set_scale(const FunctionName& name, const function_manager::Scale& scale);
  Status remove(const FunctionName& name);

private:
  /// `keep`: instances that are there already and stay for now.
  Status open(const function_manager::FunctionRecord& record, std::size_t keep = 0);
  Status begin_trial(const function_manager::FunctionRecord& record);
  /// How many are left, which was not answered.
  std::size_t act_on_trials();
  /// False: to be tried again later.
  bool act_on(const instance_manager::TrialEnd& end);
  void give_up(const instance_manager::TrialEnd& end, const std::string& why);
  /// Stops what the registry refuses: no task is placed on it and no instance of it runs.
  void close(const std::string& name, const Error& why);
  void reopen(const std::string& name);
  bool forget_refusal(const std::string& name);
  void renew_loop();

  function_manager::FunctionManager& functions_;
  instance_manager::ClusterInstances& instances_;
  task_manager::TaskManager& tasks_;
  MasterScaling& scaling_;
  security_manager::AuditLog& audit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false; // guarded by mutex_
  bool reached_ = true;
  std::vector<instance_manager::TrialEnd> ended_; // guarded by mutex_
  std::set<std::string> refused_;                 // by the registry; guarded by mutex_
  std::thread renewer_;
};

} // namespace tcfdl::node
