// The two adapters of local connections: Unix sockets and TCP.
#pragma once

#include "base/fd.hpp"
#include "wire/address.hpp"
#include "wire/connection.hpp"

namespace tcfdl::wire {

class SocketConnection final : public Connection {
public:
  /// Takes a connected stream socket.
  explicit SocketConnection(UniqueFd fd);
  ~SocketConnection() override = default;

  Status send(FrameKind kind, BytesView payload, Deadline deadline) override;
  Result<FrameKind> receive(Bytes& payload, Deadline deadline) override;
  void shutdown() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return fd_.get(); }

private:
  Status fill(std::size_t wanted, Deadline deadline);
  Status read_exactly(std::span<std::uint8_t> out, Deadline deadline);

  UniqueFd fd_;
  Bytes buffer_; // bytes received and not yet given out: [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Connects. UNAVAILABLE names the address and the reason.
Result<std::unique_ptr<SocketConnection>> connect(const Address& address, Deadline deadline);

/// A listening socket. TCP addresses must be loopback, since there is no TLS: FAILED_PRECONDITION otherwise.
/// An abandoned Unix socket file is replaced. A TCP port of 0 is chosen by the system.
Result<UniqueFd> listen_on(const Address& address);

/// The address a listening socket is bound to, with the port that the system chose.
Result<Address> bound_address(int fd, const Address& asked);

} // namespace tcfdl::wire
