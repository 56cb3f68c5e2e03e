// Messages of topics on their way from a publisher.
#pragma once

#include "sdk/capsule_session.hpp"
#include "sdk/topic_offers.hpp"

#include <tcfdl/topics.hpp>

namespace tcfdl::sdk {

/// Thread-safe; references outlive it.
class Publisher {
public:
  Publisher(const Identity& identity, TaskManagerClient& task_manager, CapsuleSession& capsules, TopicOffers& offers)
      : identity_(identity), task_manager_(task_manager), capsules_(capsules), offers_(offers) {}

  /// As `TopicClient::publish`.
  Result<Published> publish(const std::string& topic, BytesView body, const PublishOptions& options);

private:
  Result<wire::PublishMessage> make(const TopicOffer& offer, BytesView body, const PublishOptions& options,
                                    const std::string& id, Deadline deadline);
  Result<wire::PublishedMessage> send(const wire::PublishMessage& message, Deadline deadline);

  const Identity& identity_;
  TaskManagerClient& task_manager_;
  CapsuleSession& capsules_;
  TopicOffers& offers_;
};

} // namespace tcfdl::sdk
