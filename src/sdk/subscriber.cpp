#include "sdk/subscriber.hpp"

#include "base/log.hpp"

namespace tcfdl::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kTopicTime{10};
/// For the first message; the connection is found dead so much later at most.
constexpr milliseconds kFetchWait{20'000};
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{2000};
constexpr unsigned kMostThreads = 64;
constexpr unsigned kMostAtOnce = 256;

/// Whether the same request may succeed later: the cluster is away or restarts.
bool may_pass(const Error& error) {
  return error.unanswered() || error.retryable() || error.code() == Code::kUnauthenticated;
}

Status check_options(const SubscribeOptions& options) {
  if (options.threads == 0 || options.threads > kMostThreads || options.batch == 0 || options.batch > kMostAtOnce) {
    return make_error(Code::kInvalidArgument, "a subscription has 1 to {} threads, which take 1 to {} messages at once",
                      kMostThreads, kMostAtOnce);
  }
  if (options.protection != Protection::kHse) return {};
  return Error(Code::kInvalidArgument, "messages of topics come under eae or none");
}

} // namespace

Result<std::unique_ptr<Subscriber>> Subscriber::start(const SubscriberParts& parts, const std::string& topic,
                                                      MessageHandler handler, const SubscribeOptions& options) {
  TCFDL_TRY(check_options(options));
  std::unique_ptr<Subscriber> subscriber(new Subscriber(parts, topic, std::move(handler), options));
  TCFDL_TRY(subscriber->open(Deadline::after(kTopicTime)));
  for (unsigned i = 0; i < options.threads; ++i) {
    subscriber->threads_.emplace_back([raw = subscriber.get()] { raw->work(); });
  }
  subscriber->threads_.emplace_back([raw = subscriber.get()] { raw->keep_held(); });
  return subscriber;
}

Status Subscriber::open(Deadline deadline) {
  TCFDL_ASSIGN(const auto offer, parts_.offers.get(topic_, deadline));
  handling_ = milliseconds(offer.descriptor.topic().handling_ms());
  wire::TopicRequest request;
  auto& open = *request.mutable_open();
  open.mutable_subscription()->set_topic(topic_);
  open.mutable_subscription()->set_name(options_.name);
  if (options_.from_sequence) open.set_sequence(*options_.from_sequence);
  if (options_.from_ms) open.set_stored_ms(*options_.from_ms);
  open.set_replay(options_.replay);
  TCFDL_ASSIGN(const auto reply, parts_.task_manager.topic(request, deadline));
  if (reply.has_subscription()) return {};
  return Error(Code::kInternal, "the master answered with no subscription");
}

void Subscriber::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  stop_.request_stop();
  changed_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

Status Subscriber::wait(milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return stopping_ || end_; });
  return end_ ? Status(*end_) : Status();
}

void Subscriber::end_with(const Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    if (!end_) end_ = error;
    stopping_ = true;
  }
  stop_.request_stop();
  changed_.notify_all();
}

/// Whether the subscription ends.
bool Subscriber::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [&] { return stopping_; });
}

void Subscriber::work() {
  for (auto wait = kFirstRetry; !stop_.stop_requested();) {
    const auto fetched = fetch();
    if (!fetched) {
      if (stop_.stop_requested()) return;
      if (!may_pass(fetched.error())) return end_with(fetched.error());
      if (pause(wait)) return;
      wait = std::min(wait * 2, kLongestRetry);
      continue;
    }
    wait = kFirstRetry;
    for (const auto& delivery : fetched->deliveries()) {
      if (stop_.stop_requested()) { // so that others get it now
        settle_for_sure({delivery.sequence(), delivery.delivery()}, wire::SETTLEMENT_RETURNED);
      } else {
        handle(delivery);
      }
    }
  }
}

Result<wire::TopicDeliveries> Subscriber::fetch() {
  wire::TopicRequest request;
  auto& fetch = *request.mutable_fetch();
  fetch.mutable_subscription()->set_topic(topic_);
  fetch.mutable_subscription()->set_name(options_.name);
  fetch.set_most(options_.batch);
  fetch.set_wait_ms(static_cast<std::uint32_t>(kFetchWait.count()));
  TCFDL_ASSIGN(auto reply,
               parts_.task_manager.topic(request, Deadline::after(kFetchWait + kTopicTime), stop_.get_token()));
  const std::scoped_lock lock(mutex_);
  for (const auto& delivery : reply.deliveries().deliveries()) held_.insert({delivery.sequence(), delivery.delivery()});
  return std::move(*reply.mutable_deliveries());
}

void Subscriber::handle(const wire::TopicDelivery& delivery) {
  const Held held{delivery.sequence(), delivery.delivery()};
  const auto message = receive(delivery);
  const auto handled = message ? handle(*message) : Status(message.error());
  if (!handled && handled.error().code() == Code::kCancelled) {
    return settle_for_sure(held, wire::SETTLEMENT_RETURNED);
  }
  if (!handled) {
    spdlog::warn("message {} of {} was not handled: {}", delivery.sequence(), topic_, handled.error().to_string());
  }
  settle_for_sure(held, handled ? wire::SETTLEMENT_HANDLED : wire::SETTLEMENT_FAILED);
}

/// An exception of the handler is its error.
Status Subscriber::handle(const ReceivedMessage& message) {
  try {
    return handler_(message);
  } catch (const std::exception& thrown) {
    return make_error(Code::kInternal, "the handler threw: {}", thrown.what());
  } catch (...) {
    return Error(Code::kInternal, "the handler threw something that is no std::exception");
  }
}

/// Checked, opened and verified.
Result<ReceivedMessage> Subscriber::receive(const wire::TopicDelivery& delivery) {
  const auto deadline = Deadline::after(kTopicTime);
  const auto& sealed = delivery.message();
  TCFDL_ASSIGN(const auto header, wire::check_topic_message(sealed));
  if (header.topic() != topic_) {
    return make_error(Code::kUnauthenticated, "the message was published to {}, not to {}", header.topic(), topic_);
  }
  TCFDL_ASSIGN(const auto offer, parts_.offers.get(topic_, deadline));
  if (offer.descriptor.topic().publishers_sign()) {
    TCFDL_TRY(wire::check_topic_signature(sealed, header, parts_.authority, header.published_ms() / 1000));
  }
  ReceivedMessage message;
  if (header.protection() == "eae") {
    TCFDL_ASSIGN(const auto secret, parts_.keys.open(&offer.descriptor, header, sealed.capsule(), deadline));
    TCFDL_ASSIGN(message.body, wire::open_topic_body(*secret, sealed));
    TCFDL_TRY(parts_.offers.names().remember(offer.descriptor, offer.statement));
  } else if (options_.protection == Protection::kNone) {
    message.body = to_bytes(sealed.body());
  } else {
    return Error(Code::kUnauthenticated, "it came without protection, which this subscription does not take");
  }
  message.topic = header.topic();
  message.id = header.id();
  message.publisher = header.publisher();
  message.content_type = header.content_type();
  message.published_ms = header.published_ms();
  message.stored_ms = delivery.stored_ms();
  message.sequence = delivery.sequence();
  message.delivery = delivery.delivery();
  return message;
}

Status Subscriber::settle(const Held& held, wire::Settlement settlement, Deadline deadline) {
  wire::TopicRequest request;
  auto& settle = *request.mutable_settle();
  settle.mutable_subscription()->set_topic(topic_);
  settle.mutable_subscription()->set_name(options_.name);
  settle.set_sequence(held.first);
  settle.set_delivery(held.second);
  settle.set_settlement(settlement);
  TCFDL_TRY(parts_.task_manager.topic(request, deadline));
  return {};
}

/// Told again while the cluster is away, as long as nobody else is given the message. After that it is redelivered.
void Subscriber::settle_for_sure(const Held& held, wire::Settlement settlement) {
  const auto until = Deadline::after(handling_);
  for (auto wait = kFirstRetry;; wait = std::min(wait * 2, kLongestRetry)) {
    const auto settled = settle(held, settlement, Deadline::after(kTopicTime));
    if (settled || !may_pass(settled.error()) || until.expired()) {
      if (!settled)
        spdlog::warn("message {} of {} stays unsettled: {}", held.first, topic_, settled.error().to_string());
      break;
    }
    if (pause(wait)) break;
  }
  const std::scoped_lock lock(mutex_);
  held_.erase(held);
}

/// What takes long, and what waits behind it, is not given to others meanwhile.
void Subscriber::keep_held() {
  while (!pause(handling_ / 3)) {
    std::set<Held> held;
    {
      const std::scoped_lock lock(mutex_);
      held = held_;
    }
    for (const auto& each : held) {
      const auto kept = settle(each, wire::SETTLEMENT_WORKING, Deadline::after(kTopicTime));
      if (!kept && kept.error().unanswered()) break; // the next turn tells it
    }
  }
}

} // namespace tcfdl::sdk
