// One subscription's reading of a topic, while somebody fetches.
#pragma once

#include "topics/log_copy.hpp"

#include <map>
#include <stop_token>

namespace tcfdl::topics {

/// Thread-safe; one fetch at a time, others wait for it.
class Reading {
public:
  Reading(Journal& journal, std::shared_ptr<LogCopy> copy) : journal_(journal), copy_(std::move(copy)) {}

  /// Up to `most` messages, as soon as there is one; none after `wait`. Counted as deliveries before they are given.
  Result<wire::TopicDeliveries> fetch(const TopicRecord& topic, const SubscriptionRecord& subscription,
                                      std::size_t most, std::chrono::milliseconds wait);
  /// Errors of `Journal::settle`.
  Status settle(const TopicRecord& topic, std::int64_t subscription, const wire::SettleMessage& settled);

private:
  using Message = std::unique_ptr<message_queue::LogMessage>;
  struct Open {
    std::uint32_t delivery = 0;
    Message message;
  };

  Status ensure_reader(const TopicRecord& topic, const SubscriptionRecord& subscription);
  Result<std::vector<wire::JournalEntry>> entries_of(const std::vector<Message>& messages);
  /// The delivery, if it is the newest of its message; it is open no more.
  std::optional<Open> take(const wire::SettleMessage& settled);
  Status handled(std::int64_t subscription, const wire::SettleMessage& settled);
  Status failed(const TopicRecord& topic, std::int64_t subscription, const wire::SettleMessage& settled);
  Status returned(std::int64_t subscription, const wire::SettleMessage& settled);
  Status working(const wire::SettleMessage& settled);

  Journal& journal_;
  const std::shared_ptr<LogCopy> copy_;
  std::timed_mutex fetching_;
  // guarded by fetching_
  LogCopy::Opened opened_;
  std::string reader_;
  std::mutex mutex_;
  std::map<std::uint64_t, Open> open_; // by sequence; guarded by mutex_
};

} // namespace tcfdl::topics
