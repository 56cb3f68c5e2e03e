#include "sdk/publisher.hpp"

#include "crypto/random.hpp"
#include "sdk/requests.hpp"

#include <thread>

namespace tcfdl::sdk {
namespace {

using std::chrono::milliseconds;

/// Of one attempt; what comes later is asked for again under the same id.
constexpr std::chrono::seconds kPublishAttempt{10};
constexpr milliseconds kFirstPublishPause{100};
constexpr milliseconds kLongestPublishPause{2000};

Status check_options(BytesView body, const PublishOptions& options) {
  if (options.protection == Protection::kHse) {
    return Error(Code::kInvalidArgument, "a message is kept sealed, and hse seals for the next hop alone; use eae");
  }
  if (body.size() <= kLargestMessage) return {};
  return make_error(Code::kInvalidArgument, "a message has at most {} bytes, this one {}", kLargestMessage,
                    body.size());
}

} // namespace

/// Sealed once, and sent as often as it takes.
Result<wire::PublishMessage> Publisher::make(const TopicOffer& offer, BytesView body, const PublishOptions& options,
                                             const std::string& id, Deadline deadline) {
  const auto& descriptor = offer.descriptor;
  wire::TopicHeader header;
  header.set_topic(descriptor.name());
  header.set_id(id);
  header.set_publisher(identity_.name);
  header.set_protection(std::string(protection_name(options.protection)));
  header.set_assurance(offer.assurance);
  header.set_epoch(descriptor.epoch());
  header.set_published_ms(unix_millis());
  header.set_content_type(options.content_type);
  wire::PublishMessage result;
  auto& message = *result.mutable_message();
  std::shared_ptr<const wire::SenderKey> key;
  if (options.protection == Protection::kEae) {
    TCFDL_ASSIGN(const auto capsule, capsules_.get(descriptor.name(), offer.assurance, descriptor.epoch(), deadline));
    TCFDL_TRY(offers_.names().accept(capsule->scope, descriptor, offer.statement));
    TCFDL_ASSIGN(key, capsules_.key(descriptor.name(), offer.assurance, capsule->header.epoch(), deadline));
    header.set_epoch(capsule->header.epoch());
    header.set_capsule_id(capsule->header.capsule_id());
    message.set_header(header.SerializeAsString());
    message.set_salt(wire::field(crypto::random_array<crypto::kSaltSize>()));
    *message.mutable_capsule() = capsule->capsule;
    TCFDL_ASSIGN(*message.mutable_body(), wire::seal_topic_body(capsule->secret, message, body));
  } else {
    message.set_header(header.SerializeAsString());
    message.set_body(wire::field(body));
  }
  if (descriptor.topic().publishers_sign()) {
    wire::sign_topic_message(message, identity_.signing, identity_.certificate.get());
  }
  result.set_body_tag(body_tag(key.get(), id, descriptor.name(), body));
  return result;
}

Result<wire::PublishedMessage> Publisher::send(const wire::PublishMessage& message, Deadline deadline) {
  wire::TopicRequest request;
  *request.mutable_publish() = message;
  for (auto pause = kFirstPublishPause;; pause = std::min(pause * 2, kLongestPublishPause)) {
    const auto reply = task_manager_.topic(request, deadline.earlier(Deadline::after(kPublishAttempt)));
    if (reply && reply->has_published()) return reply->published();
    if (reply) return Error(Code::kInternal, "the master answered with no message");
    if (!reply.error().unanswered() || deadline.left_millis() <= pause.count()) return reply.error();
    std::this_thread::sleep_for(pause);
  }
}

Result<Published> Publisher::publish(const std::string& topic, BytesView body, const PublishOptions& options) {
  TCFDL_TRY(check_options(body, options));
  const auto deadline = Deadline::after(options.timeout);
  const auto id = options.id.empty() ? make_uuid() : options.id;
  TCFDL_ASSIGN(const auto offer, offers_.get(topic, deadline));
  if (!options.assurance.empty() && !wire::assurance_meets(offer.assurance, options.assurance)) {
    return make_error(Code::kPermissionDenied, "{} is read in class '{}'; the publisher wants '{}'", topic,
                      offer.assurance, options.assurance);
  }
  TCFDL_TRY(check_protection(offer.descriptor, options.protection));
  TCFDL_TRY(check_size(offer.descriptor, body.size()));
  TCFDL_ASSIGN(const auto message, make(offer, body, options, id, deadline));
  const auto published = send(message, deadline);
  if (!published) offers_.forget(topic); // what it must be sealed for may have changed
  if (!published) return published.error();
  return Published{id, published->sequence(), published->duplicate()};
}

} // namespace tcfdl::sdk
