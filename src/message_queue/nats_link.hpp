// The connection behind a bus. Part of the adapter: only nats_bus.cpp, nats_link.cpp and nats_logs.cpp include it.
#pragma once

#include "base/worker_pool.hpp"
#include "message_queue/nats_bus.hpp"
#include "message_queue/nats_handles.hpp"

#include <atomic>
#include <map>

namespace tcfdl::message_queue {

/// The header of an answer that is an error.
inline constexpr const char* kCodeHeader = "Tcfdl-Code";
inline constexpr const char* kRetryAfterHeader = "Tcfdl-Retry-After-Ms"; ///< optional

/// The library's status as an error: "<what> <where>: <status>".
Status check(natsStatus status, std::string_view what, std::string_view where);

inline std::string_view text_or_empty(const char* text) { return text == nullptr ? std::string_view() : text; }

/// Begin of the subjects of a bucket's keys.
inline std::string key_prefix(const std::string& bucket) { return "$KV." + bucket + "."; }

/// The connection and what callbacks need of it. Shared by the bus and its subscriptions; `close()` ends its work.
class NatsBus::Link {
public:
  explicit Link(const NatsBusSettings& wanted) : settings(wanted), pool(wanted.workers, wanted.waiting_requests) {}
  ~Link() {
    stores_.clear();
    jetstream_.reset();
    natsConnection_Destroy(connection);
  }

  Status connect(bool retry);
  void close();

  /// Whether an attempt to connect failed for no other reason than its nonce.
  [[nodiscard]] bool met_unlucky_nonce() const noexcept { return unlucky_nonce_; }
  [[nodiscard]] bool connected() const { return natsConnection_Status(connection) == NATS_CONN_STATUS_CONNECTED; }
  [[nodiscard]] Status require_connected() const {
    if (connected()) return {};
    return make_error(Code::kUnavailable, "not connected to the message queue at {}:{}; it reconnects by itself",
                      settings.host, settings.port);
  }
  /// Counts connections, so that one who remembers it sees a loss in between.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  void set_handler(StateHandler handler) {
    state_handler_.with([&](StateHandler& held) { held = std::move(handler); });
  }

  /// The library's context, kept for the life of the link. UNAVAILABLE while the server is away.
  Result<jsCtx*> jetstream();
  /// The store of a bucket, kept for the life of the link.
  Result<kvStore*> store(const std::string& bucket);
  Status create_store(const std::string& bucket);
  /// A new consumer of the last value of every key and of what follows.
  Result<SubscriptionPtr> consume(const std::string& bucket);

  Status flush_subscription(std::string_view filter);
  void answer(const char* reply, const Result<Bytes>& result) const;

  const NatsBusSettings settings;
  WorkerPool pool;
  const std::shared_ptr<EndedSubscriptions> ended = std::make_shared<EndedSubscriptions>();
  natsConnection* connection = nullptr; // constant after connect()

private:
  Result<OptionsPtr> options(bool retry);
  void tell(BusState state) {
    state_handler_.with([&](const StateHandler& handler) {
      if (handler) handler(state);
    });
  }
  Status ensure_jetstream();

  // Callbacks of the library, with the link as their closure.
  static natsStatus give_jwt(char** jwt, char** error, void* closure) noexcept;
  static natsStatus sign_nonce(char** error, unsigned char** signature, int* size, const char* nonce,
                               void* closure) noexcept;
  static void on_disconnected(natsConnection* connection, void* closure) noexcept;
  static void on_connected(natsConnection* connection, void* closure) noexcept;
  static void on_closed(natsConnection* connection, void* closure) noexcept;
  static void on_error(natsConnection* connection, natsSubscription* subscription, natsStatus status,
                       void* closure) noexcept;

  std::atomic<std::uint64_t> epoch_ = 0;
  std::atomic<bool> unlucky_nonce_ = false;
  std::atomic<bool> closing_ = false;
  Guarded<StateHandler> state_handler_;
  std::mutex closed_mutex_;
  std::condition_variable closed_changed_;
  bool closed_ = false; // guarded by closed_mutex_
  std::mutex jetstream_mutex_;
  // guarded by jetstream_mutex_
  JetStreamPtr jetstream_; // constant once made
  std::map<std::string, StorePtr> stores_;
};

} // namespace tcfdl::message_queue
