// Topics on disk: their messages, and how far each subscription has come.
#pragma once

#include "database/sqlite.hpp"
#include "wire/topic.hpp"

#include <filesystem>
#include <vector>

namespace tcfdl::topics {

/// Unix milliseconds, UTC.
using UnixMillis = std::function<std::int64_t()>;

struct JournalSettings {
  std::filesystem::path file;
  std::uint64_t most_bytes = std::uint64_t{768} << 20U; ///< of all topics together, as their policies admit them
  std::size_t most_topics = 1000;
  std::size_t most_subscriptions = 1000; ///< of one topic
};

/// A topic and what is kept of it.
struct TopicRecord {
  std::int64_t id = 0;
  wire::Signed statement; ///< its descriptor
  wire::Descriptor descriptor;
  std::int64_t created_ms = 0;
  std::uint64_t first = 1; ///< sequence of the oldest message that is kept, or of the next one
  std::uint64_t last = 0;  ///< of the newest
  std::uint64_t bytes = 0; ///< of all that are kept
  std::string log;         ///< the message queue's copy
  std::uint64_t base = 0;  ///< sequence - base is the number in the log
};

struct SubscriptionId {
  std::string owner; ///< who subscribes: a client, or a function
  std::string name;

  friend auto operator<=>(const SubscriptionId&, const SubscriptionId&) = default;
};

/// A subscription and how far it came.
struct SubscriptionRecord {
  std::int64_t id = 0;
  SubscriptionId who;
  std::string reader;        ///< of the topic's log
  std::uint64_t settled = 0; ///< up to there every message is
};

/// The same, with what is to be counted for it.
struct SubscriptionState : SubscriptionRecord {
  std::uint64_t waiting = 0; ///< messages after `settled` that are not settled
  std::uint64_t dead = 0;
};

/// What is to be done with a message that the message queue gives to a subscription.
struct Turn {
  bool deliver = false;       ///< else it has been settled, or has become a dead letter
  std::uint32_t delivery = 0; ///< counts them from 1
};

/// Where a subscription begins, or begins again.
struct Start {
  std::optional<std::uint64_t> sequence;
  std::optional<std::int64_t> stored_ms; ///< the first message of then or later; neither: after the last message
};

/// Every change is on disk when it returns. Thread-safe.
class Journal {
public:
  static Result<std::unique_ptr<Journal>> open(JournalSettings settings, UnixMillis now);

  /// Makes a topic, or takes another version of its descriptor, which was checked. RESOURCE_EXHAUSTED names the bound;
  /// errors of `wire::check_succession`.
  Status put(const wire::Signed& statement, const wire::Descriptor& descriptor);
  Result<std::vector<TopicRecord>> list();
  /// NOT_FOUND.
  Result<TopicRecord> get(const std::string& topic);
  /// With all that is kept of it.
  Status remove(const std::string& topic);
  /// The topic's copy in the message queue is another from now on; its first message is the oldest that is kept.
  Result<TopicRecord> begin_log(std::int64_t topic);
  /// Since when the copies are trusted: true when it is not the same as at the last call.
  Result<bool> begin_boot(const std::string& boot);

  /// The message and what was made of it. One that the topic has of that publisher gives the first one's sequence;
  /// ALREADY_EXISTS when that has another tag.
  Result<wire::PublishedMessage> append(const TopicRecord& topic, const std::string& publisher_key,
                                        const wire::TopicHeader& header, const wire::PublishMessage& published);
  /// Journal entries after a sequence, serialised, up to a number of bytes but one at least.
  Result<std::vector<Bytes>> read(std::int64_t topic, std::uint64_t after, std::size_t most_bytes);
  /// Drops what the topic's policy does not keep; the sequence of the oldest that is kept.
  Result<std::uint64_t> prune(const TopicRecord& topic);

  /// Makes a subscription that is not there; with `replay` moves it. What it was given before stays counted.
  Result<SubscriptionState> subscribe(const TopicRecord& topic, const SubscriptionId& who, const Start& start,
                                      bool replay);
  /// NOT_FOUND.
  Result<SubscriptionRecord> subscription(const TopicRecord& topic, const SubscriptionId& who);
  Result<std::vector<SubscriptionState>> subscriptions(const TopicRecord& topic);
  Status unsubscribe(std::int64_t subscription);

  /// Counts a delivery that is about to be made. One that failed as often as the policy admits becomes a dead letter.
  Result<Turn> begin_delivery(std::int64_t subscription, std::uint64_t sequence, std::uint32_t most_deliveries);
  /// Several at once.
  Result<std::vector<Turn>> begin_deliveries(std::int64_t subscription, const std::vector<std::uint64_t>& sequences,
                                             std::uint32_t most_deliveries);
  /// The message was handled. NOT_FOUND for one that was not delivered.
  Status settle(std::int64_t subscription, std::uint64_t sequence);
  /// A delivery failed; true when the message is a dead letter now.
  Result<bool> fail(std::int64_t subscription, std::uint64_t sequence, std::uint32_t most_deliveries);
  /// A delivery was no failure: its message was not looked at.
  Status give_back(std::int64_t subscription, std::uint64_t sequence);
  Result<wire::DeadLetters> dead_letters(const TopicRecord& topic, std::int64_t subscription);

private:
  Journal(std::unique_ptr<database::Database> database, JournalSettings settings, UnixMillis now)
      : settings_(std::move(settings)), now_(std::move(now)), database_(std::move(database)) {}
  Status check_room(const wire::Descriptor& descriptor);
  Result<std::optional<wire::PublishedMessage>> known(std::int64_t topic, const std::string& publisher_key,
                                                      const std::string& id, const std::string& tag);
  Status store(const TopicRecord& topic, const std::string& publisher_key, const wire::TopicHeader& header,
               const wire::PublishMessage& published, std::uint64_t& sequence);
  Status drop(std::int64_t topic, std::uint64_t up_to);
  Result<std::uint64_t> position(const TopicRecord& topic, const Start& start);
  Status move(const SubscriptionRecord& subscription, std::uint64_t settled);
  Status advance(std::int64_t subscription);
  Status bury(std::int64_t subscription, std::uint64_t sequence, const std::string& reason);

  const JournalSettings settings_;
  const UnixMillis now_;
  const std::unique_ptr<database::Database> database_;
};

} // namespace tcfdl::topics
