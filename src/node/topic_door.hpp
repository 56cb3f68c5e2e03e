// Topics at a master's door: who may publish and subscribe, and what messages must be.
#pragma once

#include "node/master_functions.hpp"
#include "topics/topics.hpp"
#include "wire/held_certificate.hpp"

#include <stop_token>

namespace tcfdl::node {

struct TopicDoorParts {
  topics::Topics& topics;
  RegisteredFunctions& registry;
  wire::HeldCertificate certificate; ///< the master's
  const crypto::VerifyKey& authority;
  const Clock& clock;
};

/// The topic that a request names; empty for none.
std::string topic_of(const wire::TopicRequest& request);

/// Thread-safe. What it needs outlives it.
class TopicDoor {
public:
  TopicDoor(TopicDoorParts parts, std::string cluster) : parts_(std::move(parts)), cluster_(std::move(cluster)) {}

  /// Of a client with that certificate. `gone`: it went away. PERMISSION_DENIED names the grant that it lacks.
  Result<wire::TopicReply> handle(const wire::Certificate& caller, const wire::TopicRequest& request,
                                  const std::stop_token& gone);

  /// Makes a topic, or takes another version of it: at the registry, then here. PERMISSION_DENIED for a name of another
  /// owner, or of a function; UNAVAILABLE while the service manager is out of reach.
  Result<topics::TopicRecord> put(const wire::Signed& unverified);
  /// The topic, its messages and subscriptions. NOT_FOUND, UNAVAILABLE.
  Status remove(const std::string& topic);

private:
  Result<wire::TopicOffer> describe(const wire::Certificate& caller, const std::string& topic);
  Result<wire::PublishedMessage> publish(const wire::Certificate& caller, const wire::PublishMessage& message);
  Status check_message(const wire::Certificate& caller, const wire::PublishMessage& message,
                       const wire::TopicHeader& header);
  Status serve_subscriber(const wire::Certificate& caller, const wire::TopicRequest& request,
                          const std::stop_token& gone, wire::TopicReply& reply);
  Result<wire::SubscriptionInfo> open(const topics::SubscriptionId& who, const wire::OpenSubscription& request);

  const TopicDoorParts parts_;
  const std::string cluster_;
};

} // namespace tcfdl::node
