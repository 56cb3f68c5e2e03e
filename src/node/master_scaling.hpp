// The number of each function's instances, decided from its tasks: an autoscaler per function, on one thread.
#pragma once

#include "instance_manager/cluster_instances.hpp"
#include "task_manager/autoscaler.hpp"
#include "task_manager/task_manager.hpp"

#include <condition_variable>
#include <set>
#include <thread>

namespace tcfdl::node {

/// What a function was given last, for people.
struct ScalingView {
  task_manager::ScaleBounds bounds;
  std::size_t wanted = 0;
  std::string why;
  double rate = 0;       ///< tasks that end in a second
  std::size_t spare = 0; ///< warm instances that are ready and not taken up yet
};

/// Thread-safe. Between `start` and `stop` one thread decides every interval, and at once where a task waits and no
/// instance is. What it is given outlives it.
class MasterScaling {
public:
  MasterScaling(const task_manager::AutoscalingSettings& settings, task_manager::TaskManager& tasks,
                instance_manager::ClusterInstances& instances)
      : settings_(settings), tasks_(tasks), instances_(instances) {}
  MasterScaling(const MasterScaling&) = delete;
  MasterScaling& operator=(const MasterScaling&) = delete;
  ~MasterScaling() { stop(); }

  void start();
  void stop() noexcept;

  /// Adds a function or changes its bounds. Gives how many instances it should have until the next decision.
  std::size_t set_function(const FunctionName& name, const task_manager::ScaleBounds& bounds, unsigned concurrency);
  void remove_function(const FunctionName& name);
  /// A task waits and no instance is free. Returns at once.
  void wake(const FunctionName& name);

  [[nodiscard]] std::map<FunctionName, ScalingView> view() const;

private:
  using Clock = std::chrono::steady_clock;
  struct Function {
    Function(const task_manager::AutoscalingSettings& settings, Clock::time_point now)
        : scaler(settings, now), created(now) {}
    task_manager::Autoscaler scaler;
    Clock::time_point created;
    unsigned concurrency = 1;
    ScalingView view;
  };
  void loop();
  void decide(const std::set<FunctionName>& woken);
  void decide(const FunctionName& name, task_manager::FunctionLoad load, std::size_t spare, bool woken);

  const task_manager::AutoscalingSettings settings_;
  task_manager::TaskManager& tasks_;
  instance_manager::ClusterInstances& instances_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<FunctionName, Function> functions_; // guarded by mutex_, as are those below
  std::set<FunctionName> woken_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace tcfdl::node
