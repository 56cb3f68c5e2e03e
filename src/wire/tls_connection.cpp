#include "wire/tls_connection.hpp"

#include "base/log.hpp"

#include <sys/socket.h>

namespace tcfdl::wire {
namespace {

constexpr std::chrono::seconds kHandshakeTime{10};

/// The session is one thread's at a time, and so is the way out, since records leave in their order; nobody holds the
/// session while waiting for the peer.
class TlsConnection final : public FramedConnection {
public:
  TlsConnection(UniqueFd fd, crypto::TlsSession session) : fd_(std::move(fd)), session_(std::move(session)) {
    prepare_socket(fd_.get());
  }

  /// Before everything else.
  Status shake_hands(Deadline deadline) {
    for (;;) {
      const auto done = session_.handshake();
      const auto flushed = flush(deadline); // of a refusal too: the alert
      if (!done) return done.error();
      TCFDL_TRY(flushed);
      if (*done) return {};
      TCFDL_ASSIGN(const auto got, receive_some(fd_.get(), incoming_, deadline));
      session_.feed(BytesView(incoming_).first(got));
    }
  }

  void shutdown() noexcept override { ::shutdown(fd_.get(), SHUT_RDWR); }
  [[nodiscard]] int descriptor() const noexcept override { return fd_.get(); }

private:
  Status write(BytesView header, BytesView payload, Deadline deadline) override {
    const std::scoped_lock way(sending_);
    {
      const std::scoped_lock lock(mutex_);
      TCFDL_TRY(session_.write(header));
      TCFDL_TRY(session_.write(payload));
    }
    return flush(deadline);
  }

  Result<std::size_t> read_some(std::span<std::uint8_t> out, Deadline deadline) override {
    for (;;) {
      {
        const std::scoped_lock lock(mutex_);
        TCFDL_ASSIGN(const auto got, session_.read(out));
        if (got > 0) return got;
        if (session_.ended()) return Error(Code::kUnavailable, "the connection ended: the peer closed it");
        if (session_.pending_output() > kMostUnsent) {
          return Error(Code::kInvalidArgument, "the peer wants more answers of TLS than it reads");
        }
      }
      TCFDL_ASSIGN(const auto got, receive_some(fd_.get(), incoming_, deadline));
      const std::scoped_lock lock(mutex_);
      session_.feed(BytesView(incoming_).first(got));
    }
  }

  /// What the session has to say beside frames (answers to key updates) leaves with the next frame.
  Status flush(Deadline deadline) {
    Bytes output;
    {
      const std::scoped_lock lock(mutex_);
      output = session_.take_output();
    }
    return send_all(fd_.get(), output, {}, deadline);
  }

  static constexpr std::size_t kMostUnsent = std::size_t{4} << 20U;

  UniqueFd fd_;
  std::mutex sending_;         // the way out; before mutex_
  std::mutex mutex_;           // of session_
  crypto::TlsSession session_; // guarded by mutex_, but for the handshake
  Bytes incoming_ = Bytes(std::size_t{64} * 1024);
};

} // namespace

Result<std::unique_ptr<Connection>> connect_tls(const Address& address, const crypto::TlsContext& context,
                                                const std::string& server_name, Deadline deadline) {
  TCFDL_ASSIGN(auto fd, connect_socket(address, deadline));
  auto connection = std::make_unique<TlsConnection>(std::move(fd), crypto::TlsSession::connect(context, server_name));
  const auto shaken = connection->shake_hands(deadline);
  if (!shaken) return shaken.error().within("connecting to " + to_string(address));
  return connection;
}

Result<std::unique_ptr<Listener>> listen_tls(const Address& address, ListenerSettings settings, TlsSource context,
                                             const Listener::Serve& serve) {
  settings.exposure = Exposure::kNetwork;
  settings.protect = [context = std::move(context)](UniqueFd fd) {
    return std::make_unique<TlsConnection>(std::move(fd), crypto::TlsSession::accept(context()));
  };
  return Listener::start(address, settings, [serve, name = settings.name](Connection& connection) {
    const auto shaken = static_cast<TlsConnection&>(connection).shake_hands(Deadline::after(kHandshakeTime));
    if (shaken) return serve(connection);
    spdlog::info("{}: no TLS with a peer: {}", name, shaken.error().to_string());
  });
}

} // namespace tcfdl::wire
