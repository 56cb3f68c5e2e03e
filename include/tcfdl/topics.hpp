// Publishes to topics and subscribes to them. Messages are sealed here, and opened at each subscriber alone.
#pragma once

#include <tcfdl/client.hpp>

namespace tcfdl {

/// The largest message, bytes.
constexpr std::size_t kLargestMessage = std::size_t{768} << 10U;

struct PublishOptions {
  /// `kEae`, or `kNone` where the topic admits it.
  Protection protection = Protection::kEae;
  /// The least assurance class of the subscribers' proxies; empty: any that the topic's owner admits.
  std::string assurance;
  /// Makes repeats one message, as long as the topic keeps it; 1 to 128 printable characters. Empty: a new one is
  /// drawn.
  std::string id;
  std::string content_type = "application/octet-stream";
  /// Until the cluster has stored the message; it is sent again meanwhile, under the same id.
  std::chrono::milliseconds timeout{30'000};
};

/// A message that is on the disk of its cluster.
struct Published {
  std::string id;
  std::uint64_t sequence = 0; ///< in its topic, from 1
  bool duplicate = false;     ///< the topic had it already
};

/// A message as its subscriber gets it. Sequence, time of storage and delivery are the word of the cluster.
struct ReceivedMessage {
  std::string topic;
  std::string id;
  std::string publisher; ///< as the authority knows it, unless the message came without protection
  std::string content_type;
  std::int64_t published_ms = 0; ///< Unix milliseconds, by the publisher's clock
  std::int64_t stored_ms = 0;    ///< by the cluster's
  std::uint64_t sequence = 0;
  std::uint32_t delivery = 1; ///< counts the deliveries to this subscription
  Bytes body;

  /// An earlier delivery may have been handled, in whole or in part.
  [[nodiscard]] bool redelivered() const noexcept { return delivery > 1; }
};

/// Returns when the message is handled: only then it is acknowledged. After an error, which is written to the log, it
/// is delivered again later; the topic says how often. CANCELLED gives a message back that was not looked at: it comes
/// again at once, and that is no failure. Called on as many threads as the subscription has.
using MessageHandler = std::function<Status(const ReceivedMessage&)>;

struct SubscribeOptions {
  /// Of a subscription of this client. Each gets every message; processes that use one name share its messages.
  std::string name = "default";
  /// Where a new subscription begins, or one that is replayed: a sequence, or a time of storage in Unix milliseconds;
  /// neither: after the last message.
  std::optional<std::uint64_t> from_sequence;
  std::optional<std::int64_t> from_ms;
  /// Moves a subscription that exists. What it was given before is marked as redelivered.
  bool replay = false;
  /// `kEae`: messages without protection are refused, and become dead letters. `kNone`: both are taken.
  Protection protection = Protection::kEae;
  unsigned threads = 1;
  /// Messages that one thread takes at once. A process that is killed has failed with all that it has taken.
  unsigned batch = 16;
};

/// Messages on their way to a handler. `stop`, or the destructor, waits for running handlers.
class TopicSubscription {
public:
  TopicSubscription() = default;
  TopicSubscription(const TopicSubscription&) = delete;
  TopicSubscription& operator=(const TopicSubscription&) = delete;
  virtual ~TopicSubscription() = default;
  virtual void stop() noexcept = 0;
  /// Waits for an end that is not `stop`'s: the topic or the subscription was removed, or the grant was taken back. An
  /// empty one at the deadline. While the cluster is away the subscription waits for it and does not end.
  virtual Status wait(std::chrono::milliseconds time) = 0;
};

/// A subscription as its cluster knows it.
struct SubscriptionState {
  std::string topic;
  std::string name;
  std::uint64_t settled = 0; ///< up to there every message is
  std::uint64_t waiting = 0; ///< messages that are not settled yet
  std::uint64_t dead = 0;    ///< messages that failed as often as the topic admits
};

/// A message that is not delivered any more.
struct DeadMessage {
  std::uint64_t sequence = 0;
  std::string id;
  std::string publisher;
  std::int64_t stored_ms = 0;
  std::uint32_t deliveries = 0;
  std::string reason;
};

/// A publisher and subscriber. Thread-safe; subscriptions end before it does.
class TopicClient {
public:
  /// As `Client::connect`.
  static Result<std::unique_ptr<TopicClient>> connect(const std::string& name = {});
  virtual ~TopicClient() = default;

  /// Returns once the message is on the disk of the cluster. Errors: NOT_FOUND no such topic, PERMISSION_DENIED no
  /// grant or not this protection, INVALID_ARGUMENT for a body above `kLargestMessage`, ALREADY_EXISTS for an id that
  /// was used with another body, UNAVAILABLE or DEADLINE_EXCEEDED: it may have been stored, a repeat with the id tells.
  virtual Result<Published> publish(const std::string& topic, BytesView body, const PublishOptions& options = {}) = 0;

  /// Makes the subscription where there is none, and has its messages handled from now on.
  virtual Result<std::unique_ptr<TopicSubscription>> subscribe(const std::string& topic, MessageHandler handler,
                                                               const SubscribeOptions& options = {}) = 0;
  /// Of this client.
  virtual Result<std::vector<SubscriptionState>> subscriptions(const std::string& topic) = 0;
  virtual Status unsubscribe(const std::string& topic, const std::string& name) = 0;
  virtual Result<std::vector<DeadMessage>> dead_messages(const std::string& topic, const std::string& name) = 0;
};

} // namespace tcfdl
