// Messages of topics that a master presents to the function that they trigger. docs/decisions/0016-topics.md.
#include "sdk/task_server_session.hpp"

#include <algorithm>

namespace tcfdl::sdk {
namespace {

TriggeringMessage message_of(const wire::TopicHeader& header, const wire::TopicDelivery& delivery) {
  TriggeringMessage message;
  message.topic = header.topic();
  message.id = header.id();
  message.sequence = delivery.sequence();
  message.delivery = delivery.delivery();
  message.published_ms = header.published_ms();
  message.stored_ms = delivery.stored_ms();
  return message;
}

} // namespace

/// The master says that it delivers, the function's owner that it wants to, and the key that the topic's owner agrees.
Result<wire::TopicHeader> TaskServer::check_message(const Session& session, const wire::TopicDelivery& delivery,
                                                    const wire::Lease& lease) const {
  TCFDL_ASSIGN(auto header, wire::check_topic_message(delivery.message()));
  if (!lease.presented() || lease.burst_tasks() > 0 || session.hop != nullptr) {
    return Error(Code::kPermissionDenied, "messages of topics are presented by masters alone, each with a lease");
  }
  if (std::ranges::find(settings_.topics, header.topic()) == settings_.topics.end()) {
    return make_error(Code::kPermissionDenied, "{} does not handle messages of {}: its file does not name the topic",
                      settings_.function, header.topic());
  }
  if (std::ranges::find(settings_.protections, header.protection()) == settings_.protections.end()) {
    return make_error(Code::kPermissionDenied, "{} does not admit protection '{}'", settings_.function,
                      header.protection());
  }
  if (!settings_.isolated) return header;
  return make_error(Code::kFailedPrecondition, "{} keeps its instances apart; messages are for all of them",
                    settings_.function);
}

Result<TaskServer::Task> TaskServer::admit_message(Session& session, const wire::TaskRequest& request) {
  TCFDL_ASSIGN(auto lease, check_lease(session, request));
  const auto& delivery = request.delivery();
  const auto& sealed = delivery.message();
  TCFDL_ASSIGN(const auto topic, check_message(session, delivery, lease));
  wire::SealedHeader header;
  header.set_task_id(lease.task_id());
  header.set_function(settings_.function);
  header.set_sender(topic.publisher());
  header.set_content_type(topic.content_type());
  header.set_protection(topic.protection());
  auto span = open_span(request, header);
  Task task{std::move(lease),
            std::move(header),
            sealed.header(),
            sealed.salt(),
            nullptr,
            request.attempt(),
            Deadline::after_millis(request.remaining_ms()),
            {}};
  task.span = std::move(span);
  task.message = message_of(topic, delivery);
  if (!sealed.has_capsule()) return task;
  TCFDL_ASSIGN(const auto capsule, wire::capsule_header_unverified(sealed.capsule()));
  TCFDL_TRY(revocations_.check_key(capsule.sender_key(), capsule.sender()));
  TCFDL_ASSIGN(task.secret, topic_keys_.open(nullptr, topic, sealed.capsule(), task.deadline));
  return task;
}

} // namespace tcfdl::sdk
