// Messages of a topic on their way to a handler.
#pragma once

#include "sdk/topic_keys.hpp"
#include "sdk/topic_offers.hpp"

#include <condition_variable>
#include <set>
#include <tcfdl/topics.hpp>
#include <thread>

namespace tcfdl::sdk {

struct SubscriberParts {
  TaskManagerClient& task_manager;
  TopicKeys& keys;
  TopicOffers& offers;
  const crypto::VerifyKey& authority;
};

/// Threads fetch, open, handle and settle; one more tells the cluster which messages are being handled. Parts outlive
/// it.
class Subscriber final : public TopicSubscription {
public:
  /// Makes the subscription where there is none.
  static Result<std::unique_ptr<Subscriber>> start(const SubscriberParts& parts, const std::string& topic,
                                                   MessageHandler handler, const SubscribeOptions& options);
  ~Subscriber() override { stop(); }
  void stop() noexcept override;
  Status wait(std::chrono::milliseconds time) override;

private:
  using Held = std::pair<std::uint64_t, std::uint32_t>; // sequence and delivery
  Subscriber(const SubscriberParts& parts, std::string topic, MessageHandler handler, SubscribeOptions options)
      : parts_(parts), topic_(std::move(topic)), handler_(std::move(handler)), options_(std::move(options)) {}
  Status open(Deadline deadline);
  void work();
  Result<wire::TopicDeliveries> fetch();
  void handle(const wire::TopicDelivery& delivery);
  Status handle(const ReceivedMessage& message);
  Result<ReceivedMessage> receive(const wire::TopicDelivery& delivery);
  Status settle(const Held& held, wire::Settlement settlement, Deadline deadline);
  void settle_for_sure(const Held& held, wire::Settlement settlement);
  void keep_held();
  bool pause(std::chrono::milliseconds time);
  void end_with(const Error& error);

  const SubscriberParts parts_;
  const std::string topic_;
  const MessageHandler handler_;
  const SubscribeOptions options_;
  std::chrono::milliseconds handling_{0}; // constant after start
  std::stop_source stop_;
  std::vector<std::thread> threads_; // of `start` and `stop`
  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  bool stopping_ = false;
  std::optional<Error> end_;
  std::set<Held> held_;
};

} // namespace tcfdl::sdk
