// What the instance manager needs from others.
#pragma once

#include "base/deadline.hpp"
#include "wire/messages.hpp"

#include <filesystem>
#include <functional>

namespace tcfdl::instance_manager {

/// The node's TEE proxy, which measures and executes bundles. Calls block; any thread.
class Proxy {
public:
  virtual ~Proxy() = default;
  virtual Result<wire::LaunchedInstance> launch(const wire::LaunchInstance& order, Deadline deadline) = 0;
  /// Its end is told by `NodeInstances::exited`.
  virtual Status kill(const InstanceId& instance) = 0;
};

/// Fetches and unpacks bundles. Calls block; any thread.
class Bundles {
public:
  virtual ~Bundles() = default;
  /// The directory of the bundle that a manifest describes, complete and checked.
  virtual Result<std::filesystem::path> prepare(BytesView manifest, Deadline deadline) = 0;
};

/// The node's voice to its master. Calls do not block for long; any thread.
class Reporter {
public:
  virtual ~Reporter() = default;
  /// Some instance's status is not what it was: time for a heartbeat.
  virtual void instances_changed() = 0;
  virtual void task_event(const wire::TaskEvent& event) = 0;
  /// Spans of an instance, whatever they say of whose they are.
  virtual void spans(const InstanceId& instance, const wire::Spans& spans) = 0;
};

/// The way to one running instance.
class Agent {
public:
  virtual ~Agent() = default;
  virtual Status send(const wire::InstanceCommand& command, Deadline deadline) = 0;
};

/// Runs jobs that may block, each on some thread of its own choice.
class Executor {
public:
  virtual ~Executor() = default;
  virtual void run(std::function<void()> job) = 0;
};

/// The master's way to its nodes, itself included. Calls block; any thread.
class NodeCommands {
public:
  virtual ~NodeCommands() = default;
  /// Returns when the node took the order, not when the instance runs.
  virtual Status start(const NodeId& node, const wire::StartInstance& order, Deadline deadline) = 0;
  virtual Status stop(const NodeId& node, const wire::StopInstance& order, Deadline deadline) = 0;
  /// Whether the node is there; if so it reports its whole status soon.
  virtual Status probe(const NodeId& node, Deadline deadline) = 0;
  /// Has the node report, if it is there. Returns at once.
  virtual void ask_status(const NodeId& node) = 0;
};

/// An instance that can be reached.
struct ReadyInstance {
  InstanceId instance;
  FunctionName function;
  NodeId node;
  std::string tee_kind;
  std::vector<std::string> addresses; ///< `unix:…` and `tcp:…`
  std::uint64_t version = 0;
};

/// What became of a version that was tried.
struct TrialEnd {
  FunctionName function;
  std::uint64_t version = 0;
  std::string failure; ///< why it is given up; empty: it passed
};

/// Who places tasks learns of instances. Called in order, on the event thread, without a lock.
class InstanceEvents {
public:
  virtual ~InstanceEvents() = default;
  virtual void on_ready(const ReadyInstance& instance) = 0;
  /// It ends what it has and takes nothing new. Follows `on_ready`.
  virtual void on_draining(const InstanceId& instance) = 0;
  /// Follows `on_ready`; a process that restarted is gone and ready again under the same name.
  virtual void on_gone(const InstanceId& instance, const std::string& reason) = 0;
  /// Why instances of a function do not start; empty: they do.
  virtual void on_problem(const FunctionName& function, const std::string& problem) = 0;
  /// Once a trial. One that is given up has stopped getting instances; one that passed goes on until it is in force.
  virtual void on_trial_ended(const TrialEnd& end) = 0;
  /// Whether an instance has tasks, or was promised to some. Called with a lock held: it must not call back.
  virtual bool has_tasks(const InstanceId& instance) = 0;
};

} // namespace tcfdl::instance_manager
