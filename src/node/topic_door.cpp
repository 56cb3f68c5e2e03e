#include "node/topic_door.hpp"

#include "base/file.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kBodyTagSize = 32;
constexpr std::uint32_t kMostFetched = 256;
constexpr milliseconds kLongestWait{60'000};

Status check_grant(const wire::Certificate& caller, std::string_view beginning, const std::string& topic) {
  if (wire::grants_allow_topic(caller, beginning, topic)) return {};
  return make_error(Code::kPermissionDenied, "{} has no grant '{}{}'; whoever administers the cluster can add it",
                    caller.subject(), beginning, topic);
}

/// Of a client. The name is its choice.
Result<topics::SubscriptionId> subscription_of(const wire::Certificate& caller, const wire::SubscriptionRef& ref) {
  const auto named = parse_function_name(ref.name());
  if (!named) return named.error().within("the subscription's name");
  return topics::SubscriptionId{caller.subject(), ref.name()};
}

const wire::SubscriptionRef& ref_of(const wire::TopicRequest& request) {
  switch (request.kind_case()) {
  case wire::TopicRequest::kOpen: return request.open().subscription();
  case wire::TopicRequest::kFetch: return request.fetch().subscription();
  case wire::TopicRequest::kSettle: return request.settle().subscription();
  case wire::TopicRequest::kDeadLetters: return request.dead_letters().subscription();
  default: return request.remove();
  }
}

} // namespace

std::string topic_of(const wire::TopicRequest& request) {
  if (request.has_describe()) return request.describe().topic();
  if (request.has_list()) return request.list().topic();
  if (!request.has_publish()) return ref_of(request).topic();
  const auto header = wire::parse<wire::TopicHeader>(request.publish().message().header());
  return header ? header->topic() : std::string();
}

Result<wire::TopicReply> TopicDoor::handle(const wire::Certificate& caller, const wire::TopicRequest& request,
                                           const std::stop_token& gone) {
  if (caller.role() != wire::ROLE_CLIENT) {
    return make_error(Code::kPermissionDenied, "{} is no client; functions get messages by their triggers",
                      caller.subject());
  }
  wire::TopicReply reply;
  if (request.has_describe()) {
    TCFDL_ASSIGN(*reply.mutable_offer(), describe(caller, request.describe().topic()));
  } else if (request.has_publish()) {
    TCFDL_ASSIGN(*reply.mutable_published(), publish(caller, request.publish()));
  } else {
    TCFDL_TRY(check_grant(caller, wire::kSubscribeGrant, topic_of(request)));
    TCFDL_TRY(serve_subscriber(caller, request, gone, reply));
  }
  return reply;
}

Status TopicDoor::serve_subscriber(const wire::Certificate& caller, const wire::TopicRequest& request,
                                   const std::stop_token& gone, wire::TopicReply& reply) {
  const auto topic = topic_of(request);
  if (request.has_list()) {
    TCFDL_ASSIGN(const auto all, parts_.topics.subscriptions(topic, caller.subject()));
    for (const auto& info : all) *reply.mutable_subscriptions()->add_subscriptions() = info;
    return {};
  }
  TCFDL_ASSIGN(const auto who, subscription_of(caller, ref_of(request)));
  if (request.has_open()) {
    TCFDL_ASSIGN(*reply.mutable_subscription(), open(who, request.open()));
  } else if (request.has_fetch()) {
    const auto most = std::clamp<std::uint32_t>(request.fetch().most(), 1, kMostFetched);
    const auto wait = std::min(milliseconds(request.fetch().wait_ms()), kLongestWait);
    TCFDL_ASSIGN(*reply.mutable_deliveries(), parts_.topics.fetch(topic, who, most, wait, gone));
  } else if (request.has_settle()) {
    return parts_.topics.settle(who, request.settle());
  } else if (request.has_remove()) {
    return parts_.topics.unsubscribe(topic, who);
  } else {
    TCFDL_ASSIGN(*reply.mutable_dead_letters(), parts_.topics.dead_letters(topic, who));
  }
  return {};
}

Result<wire::TopicOffer> TopicDoor::describe(const wire::Certificate& caller, const std::string& topic) {
  if (!wire::grants_allow_topic(caller, wire::kPublishGrant, topic)) {
    TCFDL_TRY(check_grant(caller, wire::kSubscribeGrant, topic));
  }
  TCFDL_ASSIGN(const auto record, parts_.topics.get(topic));
  wire::TopicOffer offer;
  *offer.mutable_descriptor() = record.statement;
  offer.set_assurance(record.descriptor.assurance(0));
  *offer.mutable_master_certificate() = parts_.certificate.get();
  return offer;
}

Result<wire::PublishedMessage> TopicDoor::publish(const wire::Certificate& caller,
                                                  const wire::PublishMessage& message) {
  TCFDL_ASSIGN(const auto header, wire::check_topic_message(message.message()));
  TCFDL_TRY(check_grant(caller, wire::kPublishGrant, header.topic()));
  TCFDL_TRY(check_message(caller, message, header));
  return parts_.topics.publish(caller.verify_key(), header, message);
}

/// What subscribers would refuse after all the waiting.
Status TopicDoor::check_message(const wire::Certificate& caller, const wire::PublishMessage& message,
                                const wire::TopicHeader& header) {
  TCFDL_ASSIGN(const auto record, parts_.topics.get(header.topic()));
  const auto& topic = record.descriptor;
  if (header.publisher() != caller.subject() || message.body_tag().size() != kBodyTagSize) {
    return make_error(Code::kInvalidArgument, "the message is of {}, or its tag has not 32 bytes", header.publisher());
  }
  if (!wire::contains_text(topic.protections(), header.protection())) {
    return make_error(Code::kPermissionDenied, "{} does not admit protection '{}'", topic.name(), header.protection());
  }
  const auto& body = message.message().body();
  const auto size = message.message().has_capsule() ? crypto::opened_size(body.size()) : body.size();
  if (topic.max_body() != 0 && size > topic.max_body()) {
    return make_error(Code::kInvalidArgument, "the message has {} bytes; {} takes at most {}", size, topic.name(),
                      topic.max_body());
  }
  if (message.message().has_capsule()) {
    TCFDL_ASSIGN(const auto capsule,
                 wire::verify_turned_capsule(message.message().capsule(), parts_.authority, parts_.clock.now(), true));
    if (capsule.sender_key() != caller.verify_key()) {
      return Error(Code::kPermissionDenied, "the capsule of the message is of another publisher");
    }
    if (capsule.expires() < parts_.clock.now() + std::int64_t{topic.topic().retention_s()}) {
      return Error(Code::kFailedPrecondition,
                   "the capsule of the message ends before the message does; make a new one");
    }
  }
  if (!topic.topic().publishers_sign()) return {};
  return wire::check_topic_signature(message.message(), header, parts_.authority, parts_.clock.now());
}

Result<wire::SubscriptionInfo> TopicDoor::open(const topics::SubscriptionId& who,
                                               const wire::OpenSubscription& request) {
  topics::Start start;
  if (request.start_case() == wire::OpenSubscription::kSequence) start.sequence = request.sequence();
  if (request.start_case() == wire::OpenSubscription::kStoredMs) start.stored_ms = request.stored_ms();
  return parts_.topics.subscribe(request.subscription().topic(), who, start, request.replay());
}

Result<topics::TopicRecord> TopicDoor::put(const wire::Signed& unverified) {
  TCFDL_ASSIGN(const auto descriptor, wire::check_descriptor(unverified));
  if (!descriptor.has_topic()) {
    return make_error(Code::kInvalidArgument, "{} is a function; deploy it", descriptor.name());
  }
  if (!wire::admits_provider(descriptor, cluster_)) {
    return make_error(Code::kPermissionDenied, "the topic {} is not for cluster {}", descriptor.name(), cluster_);
  }
  TCFDL_TRY(parts_.registry.register_function(unverified, {}));
  TCFDL_TRY(parts_.topics.put(unverified, descriptor));
  return parts_.topics.get(descriptor.name());
}

Status TopicDoor::remove(const std::string& topic) {
  TCFDL_TRY(parts_.topics.get(topic));
  auto removed = parts_.registry.unregister_function(topic);
  if (!removed && removed.error().code() != Code::kNotFound) return removed;
  return parts_.topics.remove(topic);
}

} // namespace tcfdl::node
