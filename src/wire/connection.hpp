// A connection that carries frames: the port behind which Unix sockets, TCP and message-queue streams are alike.
#pragma once

#include "base/deadline.hpp"
#include "base/result.hpp"

#include <memory>
#include <tcfdl/bytes.hpp>

namespace tcfdl::wire {

/// A frame on the wire: length of the payload (4 bytes, big endian), kind (1 byte), payload.
/// docs/formats/task_protocol.md.
enum class FrameKind : std::uint8_t { kMessage = 1, kSegment = 2, kLastSegment = 3 };

/// The largest payload of one frame; a peer that announces more is cut off.
constexpr std::size_t kMaxFrame = std::size_t{1} << 20U;

/// A frame that lies where it arrived.
struct FrameView {
  FrameKind kind;
  BytesView payload;
};

/// One thread sends and one thread receives at a time; `shutdown` may be called from any thread.
class Connection {
public:
  virtual ~Connection() = default;

  /// Sends one frame. UNAVAILABLE when the peer is gone, DEADLINE_EXCEEDED; afterwards the connection is of no use.
  virtual Status send(FrameKind kind, BytesView payload, Deadline deadline) = 0;

  /// Like `send`, for a frame that another one follows at once: it may be kept until then, to go with it.
  virtual Status send_with_next(FrameKind kind, BytesView payload, Deadline deadline) {
    return send(kind, payload, deadline);
  }

  /// Receives one frame into `payload`, whose capacity is reused. Errors as `send`, INVALID_ARGUMENT for a bad frame.
  virtual Result<FrameKind> receive(Bytes& payload, Deadline deadline) = 0;

  /// The same without a copy where the connection can: the payload stays until the next call.
  virtual Result<FrameView> receive_in_place(Deadline deadline) {
    TCFDL_ASSIGN(const auto kind, receive(received_, deadline));
    return FrameView{kind, received_};
  }

  /// Ends the connection: both sides' pending and later calls fail with UNAVAILABLE.
  virtual void shutdown() noexcept = 0;

  /// The descriptor on which the peer's end shows as a hang-up; -1 where there is none.
  [[nodiscard]] virtual int descriptor() const noexcept { return -1; }

private:
  Bytes received_;
};

} // namespace tcfdl::wire
