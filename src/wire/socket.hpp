// The two adapters of local connections: Unix sockets and TCP.
#pragma once

#include "base/fd.hpp"
#include "wire/address.hpp"
#include "wire/framed.hpp"

namespace tcfdl::wire {

class SocketConnection final : public FramedConnection {
public:
  /// Takes a connected stream socket.
  explicit SocketConnection(UniqueFd fd);

  void shutdown() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return fd_.get(); }

private:
  Status write(BytesView header, BytesView payload, Deadline deadline) override;
  Result<std::size_t> read_some(std::span<std::uint8_t> out, Deadline deadline) override;

  UniqueFd fd_;
};

/// Small frames do not wait for more (TCP_NODELAY), and a peer that its machine or network took away without a word
/// counts as gone after about 9 s; nothing for Unix sockets.
void prepare_socket(int fd) noexcept;

/// Sends the whole of both, in one segment where they fit. UNAVAILABLE when the peer is gone, DEADLINE_EXCEEDED.
Status send_all(int fd, BytesView first, BytesView second, Deadline deadline);
/// Waits for bytes and reads at least one. Errors as `send_all`.
Result<std::size_t> receive_some(int fd, std::span<std::uint8_t> out, Deadline deadline);

/// A connected socket. UNAVAILABLE names the address and the reason.
Result<UniqueFd> connect_socket(const Address& address, Deadline deadline);
/// The same as a connection without TLS.
Result<std::unique_ptr<SocketConnection>> connect(const Address& address, Deadline deadline);

/// Who may listen where.
enum class Exposure : std::uint8_t {
  kLoopback, ///< what relies on the machine's own network
  kNetwork,  ///< what has TLS, or takes nothing but sealed bodies under signed leases
};

/// A listening socket. FAILED_PRECONDITION for a TCP address that its exposure forbids. An abandoned Unix socket file
/// is replaced. A TCP port of 0 is chosen by the system.
Result<UniqueFd> listen_on(const Address& address, Exposure exposure);

/// The address a listening socket is bound to, with the port that the system chose.
Result<Address> bound_address(int fd, const Address& asked);

} // namespace tcfdl::wire
