// Reliable, flow-controlled streams of large messages between two users of a bus: docs/formats/nats_stream.md.
#pragma once

#include "message_queue/bus.hpp"

#include <atomic>
#include <chrono>

namespace tcfdl::message_queue {

struct StreamSettings {
  /// Streams use `<prefix>.<opener>.<id>.a` (read by the side that opened) and `….b`; the prefix is the same at both
  /// ends, the opener tells its own name: 1 to 128 of `[A-Za-z0-9_-]`.
  std::string prefix = "tcfdl.stream";
  std::string opener = "any";
  /// Bytes that the peer may send before they are received here; 512 KiB to 64 MiB.
  std::uint32_t window = std::uint32_t{2} << 20U;
  std::chrono::milliseconds keepalive{500};
  /// A peer that is not heard for this long is gone.
  std::chrono::milliseconds silence{2000};
  /// Streams that a listener has open at once; more are refused with RESOURCE_EXHAUSTED.
  std::size_t most_streams = 256;
};

/// Bytes as the flow control counts them: 64 for each segment of 256 KiB beside its content.
struct StreamCounters {
  /// Sent and not yet received by the peer's user.
  std::uint64_t in_flight = 0;
  /// Arrived and not yet received by this side's user.
  std::uint64_t held = 0;
};

/// One end of a stream. One thread sends and one receives at a time; shutdown() and counters() may come from any. It
/// uses a subscription's thread and a thread that keeps it alive. Memory stays within the window, plus the one message
/// being received. The bus outlives it. The destructor tells the peer, as shutdown() does.
///
/// A stream fails as a whole, with UNAVAILABLE: a lost message, a silent peer, a lost connection, a peer that gave up
/// or broke the format. Complete messages that had arrived are received first.
class NatsStream {
public:
  class Core;
  explicit NatsStream(std::unique_ptr<Core> core);
  NatsStream(const NatsStream&) = delete;
  NatsStream& operator=(const NatsStream&) = delete;
  ~NatsStream();

  /// Sends one message of at most 16 MiB; returns when its last segment is in the window. INVALID_ARGUMENT if it is
  /// larger. DEADLINE_EXCEEDED if the window stays full; if that is in the middle of the message, the stream has
  /// failed.
  Status send(BytesView message, Deadline deadline);

  /// The next message. DEADLINE_EXCEEDED leaves the stream usable. OUT_OF_RANGE after the last message of a peer that
  /// finished. CANCELLED after shutdown().
  Result<Bytes> receive(Deadline deadline);

  /// Says that this side sends no more; it may go on receiving. Further sends are FAILED_PRECONDITION.
  Status finish();

  /// Gives the stream up, tells the peer, and makes pending and later calls return CANCELLED. Idempotent.
  void shutdown();

  [[nodiscard]] StreamCounters counters() const;

private:
  std::unique_ptr<Core> core_;
};

/// Takes the stream and looks at the opener's greeting, which ends with the call. Runs on a worker of the bus and
/// returns soon, since the opener waits for it: the conversation belongs to another thread. Dropping the stream refuses
/// it.
using StreamHandler = std::function<void(std::unique_ptr<NatsStream>, BytesView hello)>;

/// Accepts streams on a subject until it is destroyed; streams already handed over live on. The bus outlives it.
class StreamListener {
public:
  static Result<StreamListener> listen(Bus& bus, std::string_view subject, StreamHandler on_open,
                                       StreamSettings settings = {});

private:
  explicit StreamListener(Subscription service) : service_(std::move(service)) {}
  Subscription service_;
};

/// Opens a stream to whoever listens on the subject. `hello` has at most 64 KiB. UNAVAILABLE if nobody listens.
Result<std::unique_ptr<NatsStream>> open_stream(Bus& bus, std::string_view subject, BytesView hello, Deadline deadline,
                                                const StreamSettings& settings = {});

} // namespace tcfdl::message_queue
