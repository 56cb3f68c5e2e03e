// The bus over a NATS server.
#pragma once

#include "message_queue/bus.hpp"
#include "message_queue/logs.hpp"
#include "message_queue/user_credential.hpp"

#include <chrono>
#include <optional>

namespace tcfdl::message_queue {

/// What a server must show.
struct TlsTrust {
  std::string root_pem;    ///< who signs servers' certificates
  std::string server_name; ///< in the certificate, whatever the address is
};

struct NatsBusSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 4222;
  /// Without it only loopback is connected to. A server that offers no TLS is refused then, and the other way around.
  std::optional<TlsTrust> tls{};
  /// Who connects.
  std::shared_ptr<const UserCredential> credential;
  /// How logs name this connection.
  std::string name;
  /// Begin of the subjects for answers; the user must be allowed to subscribe to `<inbox_prefix>.>`. Services answer
  /// where it begins with `_INBOX` and nowhere else.
  std::string inbox_prefix = "_INBOX";
  /// Threads that run service handlers, and requests that may wait for them.
  std::size_t workers = 4;
  std::size_t waiting_requests = 1024;
  /// Keep trying when the server is not there at first; otherwise connect() fails.
  bool retry_first_connect = false;
  /// Reconnection is endless: it waits this long, plus a random part of the same length, between attempts.
  std::chrono::milliseconds reconnect_wait{100};
  std::chrono::milliseconds connect_timeout{2000};
  /// How often a silent connection is probed.
  std::chrono::milliseconds ping_interval{30000};
  /// Bound of each key-value operation and of the wait for a subscription to be active.
  std::chrono::milliseconds operation_timeout{3000};
};

/// One TCP connection. Subscriptions and streams end before the bus does. Nothing is buffered while disconnected. Its
/// destructor closes the connection, fails what waits for answers and waits for running service handlers; it is not
/// called from a handler.
class NatsBus final : public Bus, public KeyValue, public MessageLogs {
public:
  /// UNAUTHENTICATED for wrong credentials and for a server that does not prove who it is, UNAVAILABLE if no server
  /// answers, INVALID_ARGUMENT for another address than loopback without TLS.
  static Result<std::unique_ptr<NatsBus>> connect(const NatsBusSettings& settings);
  ~NatsBus() override;

  Result<Bytes> request(std::string_view subject, BytesView body, Deadline deadline) override;
  Status publish(std::string_view subject, BytesView data) override;
  Result<Subscription> subscribe(std::string_view filter, MessageHandler handler, std::string_view group = {}) override;
  Result<Subscription> serve(std::string_view subject, ServiceHandler handler) override;
  [[nodiscard]] bool connected() const override;
  void on_state(StateHandler handler) override;

  Status create_bucket(const std::string& bucket) override;
  Status put(const std::string& bucket, const std::string& key, BytesView value) override;
  Result<Bytes> get(const std::string& bucket, const std::string& key) override;
  Status remove(const std::string& bucket, const std::string& key) override;
  Result<Subscription> watch(const std::string& bucket, WatchHandler handler) override;

  Status create_log(const std::string& log) override;
  Result<LogState> log_state(const std::string& log) override;
  Status append_to_log(const std::string& log, std::uint64_t after, BytesView data) override;
  Status trim_log(const std::string& log, std::uint64_t first) override;
  Status remove_log(const std::string& log) override;
  Result<std::unique_ptr<LogReader>> open_reader(const std::string& log, const std::string& reader,
                                                 const ReaderSettings& settings) override;
  Status remove_reader(const std::string& log, const std::string& reader) override;

private:
  class Link;
  class Watch;
  explicit NatsBus(std::shared_ptr<Link> link) : link_(std::move(link)) {}
  std::shared_ptr<Link> link_;
};

} // namespace tcfdl::message_queue
