#include "message_queue/stream_core.hpp"

#include <algorithm>

namespace tcfdl::message_queue {
namespace {

Error violation(std::string_view what) {
  return make_error(Code::kUnavailable, "the stream failed: the peer {}; open another", what);
}

} // namespace

NatsStream::Core::Core(Bus& bus, std::string own_subject, std::string peer_subject, StreamSettings settings,
                       std::shared_ptr<void> place)
    : bus_(bus), own_subject_(std::move(own_subject)), peer_subject_(std::move(peer_subject)),
      settings_(std::move(settings)), place_(std::move(place)), last_heard_(std::chrono::steady_clock::now()),
      last_sent_(last_heard_) {}

NatsStream::Core::~Core() {
  shutdown();
  subscription_.reset();
  if (keeper_.joinable()) keeper_.join();
}

Status NatsStream::Core::listen() {
  TCFDL_ASSIGN(subscription_, bus_.subscribe(own_subject_, [this](const Message& message) { on_frame(message.data); }));
  return {};
}

void NatsStream::Core::begin(std::uint32_t peer_window) {
  const std::scoped_lock lock(mutex_);
  peer_window_ = peer_window;
  last_heard_ = std::chrono::steady_clock::now();
  keeper_ = std::thread([this] { keep_alive(); });
  can_send_.notify_all();
}

Status NatsStream::Core::publish(FrameHeader header, BytesView body) {
  const std::scoped_lock out_lock(out_mutex_);
  {
    const std::scoped_lock lock(mutex_);
    header.consumed = consumed_;
    told_ = consumed_;
    last_sent_ = std::chrono::steady_clock::now();
  }
  header.sequence = next_out_;
  if (header.kind == FrameKind::kData || header.kind == FrameKind::kFinish) ++next_out_;
  scratch_.resize(kStreamHeaderSize);
  write_frame_header(header, std::span<std::uint8_t, kStreamHeaderSize>(scratch_));
  scratch_.insert(scratch_.end(), body.begin(), body.end());
  return bus_.publish(peer_subject_, scratch_);
}

Status NatsStream::Core::publish_or_fail(FrameHeader header, BytesView body) {
  auto published = publish(header, body);
  if (published) return published;
  auto error = make_error(Code::kUnavailable, "the stream failed: {}", published.error().message());
  fail(error, false);
  return error;
}

void NatsStream::Core::fail(const Error& error, bool tell_peer) {
  {
    const std::scoped_lock lock(mutex_);
    if (failure_) return;
    failure_ = error;
  }
  can_send_.notify_all();
  can_receive_.notify_all();
  keeper_wakes_.notify_all();
  // The peer notices the silence if this is lost.
  if (tell_peer) std::ignore = publish({.kind = FrameKind::kAbort});
}

void NatsStream::Core::shutdown() {
  bool over = false;
  {
    const std::scoped_lock lock(mutex_);
    shut_down_ = true;
    over = finished_ && peer_finished_;
  }
  fail(make_error(Code::kCancelled, "the stream was shut down"), !over);
  can_send_.notify_all();
  can_receive_.notify_all();
}

Status NatsStream::Core::wait_for_window(std::size_t cost, Deadline deadline, bool inside_message) {
  Lock lock(mutex_);
  const auto open = [&] { return failure_ || shut_down_ || sent_ - peer_consumed_ + cost <= peer_window_; };
  if (!can_send_.wait_until(lock, deadline.when(), open)) {
    lock.unlock();
    auto error = Deadline::exceeded("sending on a stream whose peer does not receive");
    if (inside_message) fail(make_error(Code::kUnavailable, "the stream failed: {}", error.message()), true);
    return error;
  }
  if (shut_down_) return make_error(Code::kCancelled, "the stream was shut down");
  if (failure_) return *failure_;
  sent_ += cost;
  return {};
}

Status NatsStream::Core::send(BytesView message, Deadline deadline) {
  if (message.size() > kLargestStreamMessage) {
    return make_error(Code::kInvalidArgument, "a message of {} bytes is larger than the {} that a stream carries",
                      message.size(), kLargestStreamMessage);
  }
  if (const std::scoped_lock lock(mutex_); finished_) {
    return make_error(Code::kFailedPrecondition, "this side of the stream has finished");
  }
  FrameHeader header{.kind = FrameKind::kData, .first = true, .total = static_cast<std::uint32_t>(message.size())};
  do {
    const auto segment = message.first(std::min(message.size(), kLargestSegment));
    message = message.subspan(segment.size());
    header.last = message.empty();
    TCFDL_TRY(wait_for_window(segment.size() + kSegmentOverhead, deadline, !header.first));
    TCFDL_TRY(publish_or_fail(header, segment));
    header.first = false;
    header.total = 0;
  } while (!message.empty());
  return {};
}

Status NatsStream::Core::finish() {
  {
    const std::scoped_lock lock(mutex_);
    if (shut_down_) return make_error(Code::kCancelled, "the stream was shut down");
    if (failure_) return *failure_;
    if (std::exchange(finished_, true)) return {};
  }
  return publish_or_fail({.kind = FrameKind::kFinish});
}

/// What receive() can return now, if anything.
std::optional<Result<Bytes>> NatsStream::Core::take(Lock& lock) {
  (void)lock;
  if (shut_down_) return make_error(Code::kCancelled, "the stream was shut down");
  if (!ready_.empty()) {
    auto first = std::move(ready_.front());
    ready_.pop_front();
    consumed_ += first.unconsumed;
    return std::move(first.message);
  }
  if (peer_finished_) return make_error(Code::kOutOfRange, "the peer has finished: no more messages");
  if (failure_) return *failure_;
  return std::nullopt;
}

Result<Bytes> NatsStream::Core::receive(Deadline deadline) {
  Lock lock(mutex_);
  receiving_ = true;
  std::optional<Result<Bytes>> result = take(lock);
  if (!result) {
    // Nothing waits before the message under way: its reader takes every segment as it comes.
    consumed_ += std::exchange(partial_.unconsumed, 0);
    if (acknowledgement_due()) {
      lock.unlock();
      std::ignore = publish_or_fail({});
      lock.lock();
    }
    can_receive_.wait_until(lock, deadline.when(), [&] { return (result = take(lock)).has_value(); });
  }
  receiving_ = false;
  const bool due = acknowledgement_due() && !failure_;
  lock.unlock();
  if (due) std::ignore = publish_or_fail({});
  return result ? *std::move(result) : Result<Bytes>(Deadline::exceeded("receiving from a stream"));
}

StreamCounters NatsStream::Core::counters() const {
  const std::scoped_lock lock(mutex_);
  return {sent_ - peer_consumed_, arrived_ - consumed_};
}

void NatsStream::Core::on_frame(BytesView frame) {
  const auto header = parse_frame_header(frame);
  if (!header) return fail(violation("broke the format"), true);
  Status accepted;
  bool due = false;
  {
    const std::scoped_lock lock(mutex_);
    if (failure_) return;
    last_heard_ = std::chrono::steady_clock::now();
    accepted = accept(*header, frame.subspan(kStreamHeaderSize));
    due = accepted && acknowledgement_due();
  }
  can_send_.notify_all();
  if (!accepted) return fail(accepted.error(), header->kind != FrameKind::kAbort);
  if (due) std::ignore = publish_or_fail({});
}

Status NatsStream::Core::accept(const FrameHeader& header, BytesView body) {
  if (header.sequence != next_in_) return violation("sent messages that were lost on the way");
  if (header.consumed < peer_consumed_ || header.consumed > sent_) return violation("acknowledged what was not sent");
  peer_consumed_ = header.consumed;
  switch (header.kind) {
  case FrameKind::kStatus: return {};
  case FrameKind::kAbort: return violation("gave it up");
  case FrameKind::kData: return accept_data(header, body);
  case FrameKind::kFinish: break;
  }
  if (in_message_ || peer_finished_) return violation("finished inside a message or twice");
  ++next_in_;
  peer_finished_ = true;
  can_receive_.notify_all();
  return {};
}

Status NatsStream::Core::accept_data(const FrameHeader& header, BytesView body) {
  if (header.first == in_message_ || peer_finished_) return violation("broke the order of a message's segments");
  const auto cost = body.size() + kSegmentOverhead;
  if (arrived_ + cost - consumed_ > settings_.window) return violation("sent more than the window allows");
  ++next_in_;
  arrived_ += cost;
  if (header.first) {
    partial_total_ = header.total;
    partial_.message.reserve(partial_total_);
  }
  auto& message = partial_.message;
  if (message.size() + body.size() > partial_total_) return violation("sent more than it announced");
  message.insert(message.end(), body.begin(), body.end());
  in_message_ = !header.last;
  if (header.last && message.size() != partial_total_) return violation("sent less than it announced");
  if (receiving_ && ready_.empty()) {
    consumed_ += cost;
  } else {
    partial_.unconsumed += cost;
  }
  if (header.last) {
    ready_.push_back(std::exchange(partial_, {}));
    can_receive_.notify_all();
  }
  return {};
}

void NatsStream::Core::keep_alive() {
  Lock lock(mutex_);
  while (!failure_ && !shut_down_) {
    keeper_wakes_.wait_for(lock, settings_.keepalive / 4);
    const auto now = std::chrono::steady_clock::now();
    if (failure_ || shut_down_) return;
    if (finished_ && peer_finished_) return;
    const bool silent = now - last_heard_ > settings_.silence;
    const bool idle = now - last_sent_ >= settings_.keepalive;
    lock.unlock();
    if (silent) {
      fail(violation(fmt::format("has been silent for {} ms", settings_.silence.count())), true);
    } else if (idle) {
      std::ignore = publish_or_fail({});
    }
    lock.lock();
  }
}

} // namespace tcfdl::message_queue
