// The state machine of one end of a stream: docs/formats/nats_stream.md.
#pragma once

#include "message_queue/stream.hpp"
#include "message_queue/stream_frame.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace tcfdl::message_queue {

/// Three threads meet here: the user's (send, receive), the subscription's (`on_frame`), and its own (keepalive).
/// `out_mutex_` makes numbering and publishing one step and is taken before `mutex_`, never inside it.
class NatsStream::Core {
public:
  /// `place` is released with the stream.
  Core(Bus& bus, std::string own_subject, std::string peer_subject, StreamSettings settings,
       std::shared_ptr<void> place);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  /// Begins to read; the peer's frames are held until their user receives them.
  Status listen();
  /// Begins to keep alive and allows sending: the peer is known to listen and takes `peer_window` bytes.
  void begin(std::uint32_t peer_window);

  Status send(BytesView message, Deadline deadline);
  Result<Bytes> receive(Deadline deadline);
  Status finish();
  void shutdown();
  [[nodiscard]] StreamCounters counters() const;

private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using Lock = std::unique_lock<std::mutex>;
  struct Received {
    Bytes message;
    /// What its segments count and have not been acknowledged for.
    std::uint64_t unconsumed = 0;
  };

  void on_frame(BytesView frame);
  Status accept(const FrameHeader& header, BytesView body);
  Status accept_data(const FrameHeader& header, BytesView body);
  Status publish(FrameHeader header, BytesView body = {});
  Status publish_or_fail(FrameHeader header, BytesView body = {});
  Status wait_for_window(std::size_t cost, Deadline deadline, bool inside_message);
  void fail(const Error& error, bool tell_peer);
  void keep_alive();
  [[nodiscard]] bool acknowledgement_due() const { return consumed_ - told_ >= settings_.window / 4; }
  std::optional<Result<Bytes>> take(Lock& lock);

  Bus& bus_;
  const std::string own_subject_;
  const std::string peer_subject_;
  const StreamSettings settings_;
  const std::shared_ptr<void> place_;

  std::mutex out_mutex_;
  // guarded by out_mutex_
  std::uint64_t next_out_ = 0;
  Bytes scratch_;

  mutable std::mutex mutex_;
  std::condition_variable can_send_;
  std::condition_variable can_receive_;
  std::condition_variable keeper_wakes_;
  // guarded by mutex_: both directions
  std::optional<Error> failure_;
  bool shut_down_ = false;
  SteadyTime last_heard_;
  SteadyTime last_sent_;
  // guarded by mutex_: outgoing
  std::uint64_t peer_window_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t peer_consumed_ = 0;
  bool finished_ = false;
  // guarded by mutex_: incoming
  std::uint64_t next_in_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t told_ = 0;
  std::deque<Received> ready_;
  Received partial_;
  std::size_t partial_total_ = 0;
  bool in_message_ = false;
  bool receiving_ = false;
  bool peer_finished_ = false;

  std::thread keeper_;
  Subscription subscription_;
};

} // namespace tcfdl::message_queue
