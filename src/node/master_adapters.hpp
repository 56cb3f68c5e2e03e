// What joins the master's modules to each other: each class is one module's port, answered by others.
#pragma once

#include "collaboration/links.hpp"
#include "collaboration/permissions.hpp"
#include "instance_manager/ports.hpp"
#include "message_queue/nats_bus.hpp"
#include "node/service_manager_client.hpp"
#include "task_manager/task_manager.hpp"
#include "wire/signed.hpp"

namespace tcfdl::node {

/// Signs leases with the master's key.
class MasterSigner final : public task_manager::LeaseSigner {
public:
  MasterSigner(const crypto::SigningKey& key, wire::HeldCertificate certificate)
      : key_(key), certificate_(std::move(certificate)) {}
  wire::Signed sign(const wire::Lease& lease) override { return wire::sign(key_, lease); }
  wire::Signed certificate() override { return certificate_.get(); }

private:
  const crypto::SigningKey& key_;
  const wire::HeldCertificate certificate_;
};

/// Other clusters, for the task manager.
class LinkedPeers final : public task_manager::Peers {
public:
  explicit LinkedPeers(collaboration::Links& links) : links_(links) {}
  bool provides(const FunctionName& function) override { return links_.provides(function.str()); }
  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline deadline) override {
    return links_.lease(request, deadline);
  }
  void release(const wire::LeaseRelease& release) override { links_.release(release); }

private:
  collaboration::Links& links_;
};

/// This cluster, for other clusters: what they ask for runs here or not at all.
class LeasesForPeers final : public collaboration::LocalTasks {
public:
  LeasesForPeers(task_manager::TaskManager& tasks, std::string cluster) : tasks_(tasks), cluster_(std::move(cluster)) {}
  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request) override {
    auto here = request;
    here.set_cluster(cluster_);
    here.clear_presented();
    return tasks_.acquire(here, {});
  }
  void release(const wire::LeaseRelease& release) override { tasks_.release(release.lease_id()); }

private:
  task_manager::TaskManager& tasks_;
  const std::string cluster_;
};

/// Orders to nodes over the message queue.
class NodeCommander final : public instance_manager::NodeCommands {
public:
  explicit NodeCommander(message_queue::Bus& bus) : bus_(bus) {}
  Status start(const NodeId& node, const wire::StartInstance& order, Deadline deadline) override;
  Status stop(const NodeId& node, const wire::StopInstance& order, Deadline deadline) override;
  Status probe(const NodeId& node, Deadline deadline) override;
  void ask_status(const NodeId& node) override;
  Result<wire::Logs> logs(const NodeId& node, const wire::ReadLogs& request, Deadline deadline);
  /// Sent only: whether it arrived is not known.
  Status recall(const NodeId& node, const wire::RecallBurst& order);

private:
  Result<wire::NodeCommandReply> ask(const NodeId& node, const wire::NodeCommand& command, Deadline deadline);
  message_queue::Bus& bus_;
};

/// Orders of the task manager to instances, through their nodes.
class NodeRecalls final : public task_manager::Recalls {
public:
  explicit NodeRecalls(NodeCommander& commander) : commander_(commander) {}
  void recall(const task_manager::Recall& burst) override;

private:
  NodeCommander& commander_;
};

/// Instances that come and go: routes to the task manager, and to the key-value bucket `routes`, where whoever watches
/// is pushed them.
class InstanceRouter final : public instance_manager::InstanceEvents {
public:
  InstanceRouter(task_manager::TaskManager& tasks, message_queue::KeyValue& routes) : tasks_(tasks), routes_(routes) {}
  void on_ready(const instance_manager::ReadyInstance& instance) override;
  void on_draining(const InstanceId& instance) override { tasks_.drain_instance(instance); }
  void on_gone(const InstanceId& instance, const std::string& reason) override;
  void on_problem(const FunctionName& function, const std::string& problem) override {
    tasks_.set_problem(function, problem);
  }
  void on_trial_ended(const instance_manager::TrialEnd& end) override { trial_ended_(end); }
  bool has_tasks(const InstanceId& instance) override { return tasks_.has_tasks(instance); }

  /// Who is told of trials. Set before the first.
  void on_trials(std::function<void(const instance_manager::TrialEnd&)> tell) { trial_ended_ = std::move(tell); }

private:
  task_manager::TaskManager& tasks_;
  message_queue::KeyValue& routes_;
  std::function<void(const instance_manager::TrialEnd&)> trial_ended_;
};

} // namespace tcfdl::node
