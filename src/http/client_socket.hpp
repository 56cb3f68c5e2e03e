// A TCP connection whose every wait ends at a deadline. Internal to the client.
#pragma once

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "crypto/tls_session.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::http {

/// Owned by one thread at a time.
class ClientSocket {
public:
  /// Connects to a numeric address. UNAVAILABLE or DEADLINE_EXCEEDED with the system's reason.
  static Result<ClientSocket> connect(const std::string& address, std::uint16_t port, Deadline deadline);

  /// Goes on in TLS. UNAUTHENTICATED for a server that does not prove its name; UNAVAILABLE or DEADLINE_EXCEEDED.
  Status secure(const crypto::TlsContext& context, const std::string& server_name, Deadline deadline);

  /// Sends some bytes; 0 when the peer sent something first, which it does to refuse the rest.
  Result<std::size_t> send_some(BytesView bytes, Deadline deadline);
  /// Appends what arrives; 0 at the end of the stream. About 64 KiB a call at most.
  Result<std::size_t> receive(Bytes& into, Deadline deadline);
  /// Waits for something to read. False when `deadline` passes first.
  [[nodiscard]] bool readable_by(Deadline deadline) const;
  /// Whether the connection is still open and silent, as it is between an answer and the next request.
  [[nodiscard]] bool is_idle() const;

private:
  explicit ClientSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<std::size_t> receive_raw(Bytes& into, Deadline deadline);
  /// Sends all that TLS has to say; false when the peer sent something first and `stop_early` asks to heed that.
  Result<bool> flush(Deadline deadline, bool stop_early);
  Status shake_hands(Deadline deadline);
  /// The events that are ready; 0 when the deadline passed.
  [[nodiscard]] int wait(int events, Deadline deadline) const;

  UniqueFd fd_;
  std::unique_ptr<crypto::TlsSession> tls_;
};

} // namespace tcfdl::http
