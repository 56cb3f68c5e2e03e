#include "node/topic_trigger.hpp"

#include "base/log.hpp"
#include "crypto/sealing.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// For the function's queue and the handler together.
constexpr minutes kLongestHandling{10};
constexpr milliseconds kFetchWait{5000};
constexpr milliseconds kFirstRetry{50};
constexpr milliseconds kLongestRetry{2000};
/// Shorter than the shortest time that a topic gives to handle a message.
constexpr milliseconds kKeepEvery{300};

/// The body as it was sealed: full segments, then the last.
Status send_segments(wire::Connection& connection, const wire::TopicMessage& message, Deadline deadline) {
  const auto size = message.has_capsule() ? crypto::kSealedSegmentSize : crypto::kSegmentSize;
  for (auto rest = as_bytes(message.body());;) {
    const bool last = rest.size() <= size;
    const auto piece = rest.first(std::min(rest.size(), size));
    TCFDL_TRY(connection.send(last ? wire::FrameKind::kLastSegment : wire::FrameKind::kSegment, piece, deadline));
    if (last) return {};
    rest = rest.subspan(piece.size());
  }
}

} // namespace

topics::SubscriptionId TopicTrigger::subscriber(const std::string& function) {
  return {"function:" + function, "trigger"};
}

TopicTrigger::TopicTrigger(TopicTriggerParts parts, std::string topic, std::string function, unsigned threads)
    : parts_(std::move(parts)), topic_(std::move(topic)), function_(std::move(function)) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  threads_.emplace_back([this] { keep_held(); });
}

TopicTrigger::~TopicTrigger() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  stop_.request_stop();
  stopped_.notify_all();
  for (auto& thread : threads_) thread.join();
}

/// Whether this ends.
bool TopicTrigger::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return stopped_.wait_for(lock, time, [this] { return stopping_; });
}

void TopicTrigger::work() {
  while (!stop_.stop_requested()) {
    const auto delivery = next();
    if (!delivery) continue;
    const Held held{delivery->sequence(), delivery->delivery()};
    if (const auto settlement = handle(*delivery)) settle(held, *settlement);
    const std::scoped_lock lock(mutex_);
    held_.erase(held);
  }
}

std::optional<wire::TopicDelivery> TopicTrigger::next() {
  auto fetched = parts_.topics.fetch(topic_, subscriber(function_), 1, kFetchWait, stop_.get_token());
  if (!fetched) pause(kLongestRetry); // as while the topic is being made, or the disk is full
  if (!fetched || fetched->deliveries_size() == 0) return std::nullopt;
  auto& delivery = *fetched->mutable_deliveries(0);
  const std::scoped_lock lock(mutex_);
  held_.insert({delivery.sequence(), delivery.delivery()});
  return std::move(delivery);
}

void TopicTrigger::keep_held() {
  while (!pause(kKeepEvery)) {
    std::set<Held> held;
    {
      const std::scoped_lock lock(mutex_);
      held = held_;
    }
    for (const auto& each : held) settle(each, wire::SETTLEMENT_WORKING);
  }
}

void TopicTrigger::settle(const Held& held, wire::Settlement settlement) {
  wire::SettleMessage settled;
  settled.mutable_subscription()->set_topic(topic_);
  settled.set_sequence(held.first);
  settled.set_delivery(held.second);
  settled.set_settlement(settlement);
  const auto done = parts_.topics.settle(subscriber(function_), settled);
  if (!done && settlement != wire::SETTLEMENT_WORKING) {
    spdlog::warn("message {} of {} stays unsettled: {}", held.first, topic_, done.error().to_string());
  }
}

/// Until an instance has begun with it: that there is none, or that all are busy, is no failure of the message.
std::optional<wire::Settlement> TopicTrigger::handle(const wire::TopicDelivery& delivery) {
  for (auto wait = kFirstRetry;; wait = std::min(wait * 2, kLongestRetry)) {
    if (stop_.stop_requested()) return std::nullopt;
    const auto grant = parts_.leases.acquire(request(delivery), stop_.get_token());
    if (grant) {
      if (const auto settlement = offer(delivery, *grant)) return settlement;
    } else {
      spdlog::debug("message {} of {} waits for {}: {}", delivery.sequence(), topic_, function_,
                    grant.error().to_string());
      wait = std::max(wait, grant.error().retry_after());
    }
    if (pause(wait)) return std::nullopt;
  }
}

/// Nothing when the handler did not begin.
std::optional<wire::Settlement> TopicTrigger::offer(const wire::TopicDelivery& delivery,
                                                    const wire::LeaseGrant& grant) {
  const auto deadline = Deadline::after(kLongestHandling);
  auto link =
      courier::InstanceLink::open(parts_.instances, grant.node(), grant.instance(), Deadline::after(seconds(10)));
  if (!link) {
    release(grant);
    return std::nullopt;
  }
  const std::stop_callback on_stop(stop_.get_token(), [&] { link->connection->shutdown(); });
  auto sent = present(*link, delivery, grant, deadline);
  auto settlement = sent ? await(*link, deadline) : Result<wire::Settlement>(sent.error());
  if (stop_.stop_requested()) return std::nullopt;
  if (settlement) return *settlement;
  if (settlement.error().code() == Code::kUnavailable && sent) { // the instance took no task
    release(grant);
    return std::nullopt;
  }
  spdlog::warn("message {} of {} was not handled by {}: {}", delivery.sequence(), topic_, function_,
               settlement.error().to_string());
  return wire::SETTLEMENT_FAILED;
}

Status TopicTrigger::present(courier::InstanceLink& link, const wire::TopicDelivery& delivery,
                             const wire::LeaseGrant& grant, Deadline deadline) {
  wire::TaskRequest request;
  *request.mutable_lease() = grant.lease();
  *request.mutable_master_certificate() = grant.master_certificate();
  *request.mutable_delivery() = delivery;
  request.mutable_delivery()->mutable_message()->clear_body();
  request.set_possession(parts_.instances.possession(link.hello));
  request.set_remaining_ms(static_cast<std::uint32_t>(deadline.left_millis()));
  request.set_attempt(delivery.delivery());
  TCFDL_TRY(wire::send_message(*link.connection, request, deadline));
  return send_segments(*link.connection, delivery.message(), deadline);
}

/// UNAVAILABLE when the instance took no task; another error when it refuses this message, or is lost with it.
Result<wire::Settlement> TopicTrigger::await(courier::InstanceLink& link, Deadline deadline) {
  for (;;) {
    const auto reply = wire::receive_message<wire::TaskReply>(*link.connection, deadline);
    if (!reply) return make_error(Code::kAborted, "the instance was lost with it: {}", reply.error().message());
    if (reply->has_refused()) return wire::to_error(reply->refused());
    if (!reply->has_result()) continue;
    TCFDL_ASSIGN(const auto header, wire::parse<wire::ResultHeader>(reply->result().header()));
    if (header.code() == 0) return wire::SETTLEMENT_HANDLED;
    return make_error(code_from_number(header.code()) == Code::kUnavailable ? Code::kAborted
                                                                            : code_from_number(header.code()),
                      "its handler failed");
  }
}

wire::LeaseRequest TopicTrigger::request(const wire::TopicDelivery& delivery) const {
  wire::LeaseRequest request;
  request.set_task_id(make_uuid());
  request.set_function(function_);
  request.set_body_size(delivery.message().body().size());
  request.set_remaining_ms(static_cast<std::uint32_t>(milliseconds(kLongestHandling).count()));
  request.set_cluster(parts_.cluster);
  request.set_protection(delivery.message().has_capsule() ? "eae" : "none");
  request.set_caller("topic:" + topic_);
  request.set_caller_key(parts_.master_key);
  request.set_presented(true);
  return request;
}

void TopicTrigger::release(const wire::LeaseGrant& grant) {
  wire::Lease lease;
  if (lease.ParseFromString(grant.lease().statement())) parts_.leases.release(lease.lease_id());
}

} // namespace tcfdl::node
