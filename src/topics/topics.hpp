// The topics of a cluster: kept in the journal, read from the message queue. docs/decisions/0016-topics.md.
#pragma once

#include "topics/reading.hpp"

#include <condition_variable>
#include <functional>
#include <set>
#include <thread>

namespace tcfdl::topics {

struct TopicsSettings {
  std::string boot; ///< of the machine: copies of before a restart are made anew, since they were not synced to disk
  /// How often the queue's server has died: what a copy loses then need not show in its counts.
  std::function<std::uint64_t()> queue_deaths = [] { return std::uint64_t{0}; };
  std::chrono::milliseconds look_after_every{1000};   ///< for what is to be forwarded or dropped
  std::chrono::milliseconds look_again_every{10'000}; ///< whether copies are still whole
};

/// Thread-safe; journal and logs outlive it. `stop` is final: whoever waits gets an empty answer.
class Topics {
public:
  Topics(TopicsSettings settings, Journal& journal, message_queue::MessageLogs& logs)
      : settings_(std::move(settings)), journal_(journal), logs_(logs) {}
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;
  ~Topics() { stop(); }

  Status start();
  void stop() noexcept;

  // Errors of the journal.
  Status put(const wire::Signed& statement, const wire::Descriptor& descriptor);
  Status remove(const std::string& topic);
  Result<std::vector<TopicRecord>> list() { return journal_.list(); }
  Result<TopicRecord> get(const std::string& topic) { return journal_.get(topic); }

  /// On disk when it returns. `header` is of the message, which was checked.
  Result<wire::PublishedMessage> publish(const std::string& publisher_key, const wire::TopicHeader& header,
                                         const wire::PublishMessage& message);

  Result<wire::SubscriptionInfo> subscribe(const std::string& topic, const SubscriptionId& who, const Start& start,
                                           bool replay);
  /// Of a topic; `owner` empty: everybody's.
  Result<std::vector<wire::SubscriptionInfo>> subscriptions(const std::string& topic, const std::string& owner);
  Status unsubscribe(const std::string& topic, const SubscriptionId& who);
  /// As `Reading::fetch`; ends early when `gone` is requested.
  Result<wire::TopicDeliveries> fetch(const std::string& topic, const SubscriptionId& who, std::size_t most,
                                      std::chrono::milliseconds wait, const std::stop_token& gone);
  Status settle(const SubscriptionId& who, const wire::SettleMessage& settled);
  Result<wire::DeadLetters> dead_letters(const std::string& topic, const SubscriptionId& who);

private:
  using ReadingKey = std::pair<std::int64_t, std::int64_t>; // topic and subscription
  std::shared_ptr<LogCopy> copy_of(const TopicRecord& topic);
  std::shared_ptr<Reading> reading_of(const TopicRecord& topic, std::int64_t subscription);
  void drop_reading(const ReadingKey& key);
  bool pause(std::chrono::milliseconds time);
  void keep();
  void look_after_all(bool look_again);
  void discard_after_death();
  void look_after(const TopicRecord& topic, bool look_again);
  void wake(const std::string& topic);

  const TopicsSettings settings_;
  Journal& journal_;
  message_queue::MessageLogs& logs_;
  std::thread keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  bool stopping_ = false;
  std::set<std::string> waiting_; ///< topics of which something is to be forwarded
  bool discard_ = false;          ///< copies that come into use are of before a restart of the machine
  std::uint64_t deaths_ = 0;      ///< of the queue's server, after which copies were discarded
  std::map<std::int64_t, std::shared_ptr<LogCopy>> copies_;
  std::map<ReadingKey, std::shared_ptr<Reading>> readings_;
};

} // namespace tcfdl::topics
