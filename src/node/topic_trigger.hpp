// A topic that triggers a function: its messages on their way to the function's instances.
#pragma once

#include "courier/presentation.hpp"
#include "topics/topics.hpp"

#include <set>

namespace tcfdl::node {

struct TopicTriggerParts {
  topics::Topics& topics;
  courier::Leases& leases;
  courier::Instances& instances;
  std::string cluster;
  std::string master_key; ///< by which the master proves itself at instances
};

/// The function's subscription, which its threads read; each has one message at a time, and one more says that they are
/// at work. Parts outlive it; the destructor ends it, and what is on its way is delivered again.
class TopicTrigger {
public:
  TopicTrigger(TopicTriggerParts parts, std::string topic, std::string function, unsigned threads);
  TopicTrigger(const TopicTrigger&) = delete;
  TopicTrigger& operator=(const TopicTrigger&) = delete;
  ~TopicTrigger();

  /// Whose subscription to the topic it is.
  static topics::SubscriptionId subscriber(const std::string& function);

private:
  using Held = std::pair<std::uint64_t, std::uint32_t>; // sequence and delivery
  void work();
  void keep_held();
  std::optional<wire::TopicDelivery> next();
  /// How the message is settled; nothing when this ends.
  std::optional<wire::Settlement> handle(const wire::TopicDelivery& delivery);
  std::optional<wire::Settlement> offer(const wire::TopicDelivery& delivery, const wire::LeaseGrant& grant);
  Status present(courier::InstanceLink& link, const wire::TopicDelivery& delivery, const wire::LeaseGrant& grant,
                 Deadline deadline);
  Result<wire::Settlement> await(courier::InstanceLink& link, Deadline deadline);
  [[nodiscard]] wire::LeaseRequest request(const wire::TopicDelivery& delivery) const;
  void release(const wire::LeaseGrant& grant);
  void settle(const Held& held, wire::Settlement settlement);
  bool pause(std::chrono::milliseconds time);

  const TopicTriggerParts parts_;
  const std::string topic_;
  const std::string function_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false; // guarded by mutex_
  std::set<Held> held_;   // guarded by mutex_
  std::vector<std::thread> threads_;
};

} // namespace tcfdl::node
