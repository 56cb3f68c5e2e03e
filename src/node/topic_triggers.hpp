// Which topics trigger which functions of this cluster, as functions and topics come and go.
#pragma once

#include "function_manager/function_manager.hpp"
#include "node/topic_trigger.hpp"

namespace tcfdl::node {

/// Thread-safe; what it needs outlives it. `start` and `stop` from one thread.
class TopicTriggers {
public:
  TopicTriggers(TopicTriggerParts parts, function_manager::FunctionManager& functions)
      : parts_(std::move(parts)), functions_(functions) {}
  TopicTriggers(const TopicTriggers&) = delete;
  TopicTriggers& operator=(const TopicTriggers&) = delete;
  ~TopicTriggers() { stop(); }

  void start();
  void stop() noexcept;

private:
  using Name = std::pair<std::string, std::string>; // topic and function
  struct Running {
    std::unique_ptr<TopicTrigger> trigger;
    std::uint64_t version = 0; ///< of the function
  };

  void keep();
  Status reconcile();
  Status begin(const Name& name, const function_manager::FunctionRecord& function);
  Status remove_subscriptions(const topics::TopicRecord& topic, const std::set<Name>& wanted);

  const TopicTriggerParts parts_;
  function_manager::FunctionManager& functions_;
  std::thread keeper_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;           // guarded by mutex_
  std::map<Name, Running> running_; // of the keeper's thread until it is joined
};

} // namespace tcfdl::node
