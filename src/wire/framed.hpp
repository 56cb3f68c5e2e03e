// Frames over a stream of bytes.
#pragma once

#include "wire/connection.hpp"

#include <array>
#include <span>

namespace tcfdl::wire {

/// What reads and writes bytes is the derived class's. After DEADLINE_EXCEEDED of `receive` the next one goes on where
/// it ended.
class FramedConnection : public Connection {
public:
  Status send(FrameKind kind, BytesView payload, Deadline deadline) final;
  Status send_with_next(FrameKind kind, BytesView payload, Deadline deadline) final;
  Result<FrameKind> receive(Bytes& payload, Deadline deadline) final;
  Result<FrameView> receive_in_place(Deadline deadline) final;

protected:
  FramedConnection();

  /// Sends the whole of both. UNAVAILABLE when the peer is gone, DEADLINE_EXCEEDED.
  virtual Status write(BytesView header, BytesView payload, Deadline deadline) = 0;
  /// Waits for bytes and reads at least one. Errors as `write`.
  virtual Result<std::size_t> read_some(std::span<std::uint8_t> out, Deadline deadline) = 0;

private:
  Status fill(std::size_t wanted, Deadline deadline);

  Bytes kept_;   // frames that go with the next one
  Bytes buffer_; // bytes received and not yet given out: [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

} // namespace tcfdl::wire
