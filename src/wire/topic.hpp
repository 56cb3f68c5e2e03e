// Messages of topics: what their parts must be, how their bodies are sealed and signed. docs/formats/topics.md.
#pragma once

#include "crypto/sealing.hpp"
#include "wire/capsule.hpp"
#include "wire/descriptor.hpp"

namespace tcfdl::wire {

/// The largest body of a message, bytes: a message travels in one frame, and in one message of the queue.
constexpr std::size_t kLargestTopicBody = std::size_t{768} << 10U;
/// Of a message, characters.
constexpr std::size_t kLongestMessageId = 128;

/// Of the streams of messages' bodies, beside those of `body.hpp`.
constexpr std::string_view kTopicDirection = "topic";

/// Grants on a topic begin with one of these and are of clients.
constexpr std::string_view kPublishGrant = "publish:";
constexpr std::string_view kSubscribeGrant = "subscribe:";

/// Whether a grant with that beginning covers the topic. `*` alone covers functions and no topic.
bool grants_allow_topic(const Certificate& certificate, std::string_view beginning, std::string_view topic);

/// The bounds of a topic's policy. INVALID_ARGUMENT names the field.
Status check_topic_policy(const TopicPolicy& policy);

/// Seconds that the capsules of a topic live: as long as messages that are sealed with them are kept. 0 for a function.
std::int64_t topic_capsule_life(const Descriptor& descriptor);

/// Whether messages of the topic may trigger the function: as both owners signed it.
bool admits_trigger(const Descriptor& topic, const Descriptor& function);

/// What can be said of a message without a key: sizes, the form of its header, and that capsule and header belong
/// together. INVALID_ARGUMENT says what is wrong.
Result<TopicHeader> check_topic_message(const TopicMessage& unverified);

/// All segments of a body, one after the other.
Result<std::string> seal_topic_body(const crypto::CapsuleSecret& secret, const TopicMessage& head, BytesView body);
/// UNAUTHENTICATED for anything but the whole body of that header and salt.
Result<Bytes> open_topic_body(const crypto::CapsuleSecret& secret, const TopicMessage& message);

/// Signs a message that is complete but for that.
void sign_topic_message(TopicMessage& message, const crypto::SigningKey& key, const Signed& certificate);
/// The publisher's signature, by the key that the authority certified for its name. Certificates end before messages
/// do, so it must have been valid at `stored`, Unix seconds. UNAUTHENTICATED.
Status check_topic_signature(const TopicMessage& message, const TopicHeader& header, const crypto::VerifyKey& authority,
                             std::int64_t stored);

} // namespace tcfdl::wire
