// What the other modules see of the message queue: requests, messages and a watched key-value store.
#pragma once

#include "base/deadline.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <tcfdl/bytes.hpp>

namespace tcfdl::message_queue {

/// A message during its handler; the views end with the handler.
struct Message {
  std::string_view subject;
  /// Where an answer is expected; empty if nowhere.
  std::string_view reply;
  BytesView data;

  /// For handlers that look at the bytes alone.
  operator BytesView() const noexcept { return data; } // NOLINT(google-explicit-constructor)
};

/// Ends what a bus began for somebody: its destructor returns when no handler runs and none will start. A handler that
/// destroys its own subscription is not waited for. Messages that wait for a handler are dropped.
class SubscriptionHandle {
public:
  SubscriptionHandle() = default;
  SubscriptionHandle(const SubscriptionHandle&) = delete;
  SubscriptionHandle& operator=(const SubscriptionHandle&) = delete;
  virtual ~SubscriptionHandle() = default;
};

/// Owner of a subscription, service or watch.
class Subscription {
public:
  Subscription() = default;
  explicit Subscription(std::unique_ptr<SubscriptionHandle> handle) : handle_(std::move(handle)) {}
  /// Ends it now, as the destructor does. Idempotent.
  void reset() { handle_.reset(); }
  [[nodiscard]] bool active() const noexcept { return handle_ != nullptr; }

private:
  std::unique_ptr<SubscriptionHandle> handle_;
};

enum class BusState : std::uint8_t {
  kConnected,
  /// Reconnecting; subscriptions come back by themselves.
  kDisconnected,
  /// For good: destroyed, or refused by the server (credentials revoked).
  kClosed,
};

using MessageHandler = std::function<void(const Message&)>;
using ServiceHandler = std::function<Result<Bytes>(const Message& request)>;
using StateHandler = std::function<void(BusState)>;

/// A connection to the message queue. Any thread may call any member. Handlers do not throw. A bad subject is
/// INVALID_ARGUMENT; a lost connection UNAVAILABLE, at once and not after the deadline.
class Bus {
public:
  Bus() = default;
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;
  virtual ~Bus() = default;

  /// The answer of one service. UNAVAILABLE if nobody serves the subject, DEADLINE_EXCEEDED without an answer in time
  /// (also when the server forbids the subject), otherwise the service's own error.
  virtual Result<Bytes> request(std::string_view subject, BytesView body, Deadline deadline) = 0;

  /// Sends to whoever is subscribed, at most once. Success says only that the bytes left.
  virtual Status publish(std::string_view subject, BytesView data) = 0;

  /// Calls `handler` for each message, one at a time in order, on a thread of this subscription. With a `group`, each
  /// message goes to one member. Active at the server when it returns; PERMISSION_DENIED if the user may not. Messages
  /// beyond 64 MiB waiting are dropped.
  virtual Result<Subscription> subscribe(std::string_view filter, MessageHandler handler,
                                         std::string_view group = {}) = 0;

  /// Answers requests on the bus's workers, several at once; `subject` may have wildcards. Instances of one subject
  /// share the load. When the workers and their queue are full, callers get RESOURCE_EXHAUSTED.
  virtual Result<Subscription> serve(std::string_view subject, ServiceHandler handler) = 0;

  [[nodiscard]] virtual bool connected() const = 0;

  /// Replaces the callback for changes of state; it runs on the bus's own thread and must not block.
  virtual void on_state(StateHandler handler) = 0;
};

/// A change of a key: its new value, or nullopt when it was removed. Views end with the handler.
struct KeyChange {
  std::string_view key;
  std::optional<BytesView> value;
};

using WatchHandler = std::function<void(const KeyChange&)>;

/// Durable small values that can be watched. Any thread. Operations end within the timeout of the settings, with
/// DEADLINE_EXCEEDED. Keys and buckets as in names.hpp.
class KeyValue {
public:
  KeyValue() = default;
  KeyValue(const KeyValue&) = delete;
  KeyValue& operator=(const KeyValue&) = delete;
  virtual ~KeyValue() = default;

  /// Makes sure that a bucket exists, one value a key, on disk.
  virtual Status create_bucket(const std::string& bucket) = 0;
  /// On disk at the server when it returns. INVALID_ARGUMENT for a value above the server's payload limit.
  virtual Status put(const std::string& bucket, const std::string& key, BytesView value) = 0;
  /// NOT_FOUND for a missing bucket or key.
  virtual Result<Bytes> get(const std::string& bucket, const std::string& key) = 0;
  /// Success if the key was not there.
  virtual Status remove(const std::string& bucket, const std::string& key) = 0;
  /// Tells the present value of every key, then each change, in order, on a thread of this watch. After a reconnection
  /// everything is told again, so the handler must be idempotent.
  virtual Result<Subscription> watch(const std::string& bucket, WatchHandler handler) = 0;
};

} // namespace tcfdl::message_queue
