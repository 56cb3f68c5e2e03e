#include "wire/body.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace tcfdl::wire {
namespace {

FrameKind segment_kind(bool last) { return last ? FrameKind::kLastSegment : FrameKind::kSegment; }

} // namespace

SegmentWriter::SegmentWriter(Connection& connection, std::optional<crypto::StreamKeys> keys, Deadline deadline)
    : connection_(connection), deadline_(deadline) {
  if (keys) sealer_.emplace(*keys);
}

Status SegmentWriter::write(BytesView piece) {
  if (finished_) return Error(Code::kFailedPrecondition, "the body is finished; nothing can be written to it");
  while (!piece.empty()) {
    if (pending_.size() == crypto::kSegmentSize) {
      TCFDL_TRY(send(pending_, false));
      pending_.clear();
    }
    if (pending_.empty() && piece.size() > crypto::kSegmentSize) {
      TCFDL_TRY(send(piece.first(crypto::kSegmentSize), false));
      piece = piece.subspan(crypto::kSegmentSize);
      continue;
    }
    const auto taken = std::min(piece.size(), crypto::kSegmentSize - pending_.size());
    pending_.insert(pending_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(taken));
    piece = piece.subspan(taken);
  }
  return {};
}

Status SegmentWriter::flush() {
  if (pending_.empty() || finished_) return {};
  const auto sent = send(pending_, false);
  pending_.clear();
  return sent;
}

Status SegmentWriter::finish() {
  if (std::exchange(finished_, true)) return {};
  return send(pending_, true);
}

Status SegmentWriter::send(BytesView plaintext, bool last) {
  if (!sealer_) return connection_.send(segment_kind(last), plaintext, deadline_);
  sealed_.resize(plaintext.size() + crypto::kAeadTagSize);
  TCFDL_ASSIGN(const auto size, sealer_->seal(plaintext, last, sealed_));
  return connection_.send(segment_kind(last), BytesView(sealed_).first(size), deadline_);
}

Status send_body(Connection& connection, std::optional<crypto::StreamKeys> keys, BytesView body, Deadline deadline) {
  SegmentWriter writer(connection, std::move(keys), deadline);
  TCFDL_TRY(writer.write(body));
  return writer.finish();
}

SegmentReader::SegmentReader(Connection& connection, std::optional<crypto::StreamKeys> keys, Deadline deadline,
                             std::uint64_t limit)
    : connection_(connection), deadline_(deadline), limit_(limit) {
  if (keys) opener_.emplace(*keys);
}

std::span<std::uint8_t> BodyBuffer::extend(std::size_t size) {
  constexpr std::size_t kLeast = 4096;
  if (capacity_ - size_ < size) {
    const auto capacity = std::max({size_ + size, 2 * capacity_, kLeast});
    auto* const grown = static_cast<std::uint8_t*>(std::realloc(bytes_.get(), capacity));
    if (grown == nullptr) throw std::bad_alloc();
    (void)bytes_.release();
    bytes_.reset(grown);
    capacity_ = capacity;
  }
  return {bytes_.get() + size_, size};
}

Result<std::size_t> SegmentReader::read(std::span<std::uint8_t> out) {
  while (position_ == available_ && !last_seen_) {
    TCFDL_ASSIGN(const auto frame, receive());
    const auto tag = opener_ ? std::min(frame.payload.size(), crypto::kAeadTagSize) : 0;
    if (frame.payload.size() - tag <= out.size()) {
      TCFDL_ASSIGN(const auto size, take(frame, out));
      if (size > 0) return size;
      continue;
    }
    segment_.resize(frame.payload.size());
    position_ = available_ = 0;
    TCFDL_ASSIGN(available_, take(frame, segment_));
  }
  const auto taken = std::min(out.size(), available_ - position_);
  if (taken == 0) return taken;
  std::memcpy(out.data(), segment_.data() + position_, taken);
  position_ += taken;
  return taken;
}

Result<Bytes> SegmentReader::read_all() {
  Bytes body(segment_.begin() + static_cast<std::ptrdiff_t>(position_),
             segment_.begin() + static_cast<std::ptrdiff_t>(available_));
  position_ = available_;
  while (!last_seen_) {
    TCFDL_ASSIGN(const auto frame, receive());
    segment_.resize(frame.payload.size());
    TCFDL_ASSIGN(const auto size, take(frame, segment_));
    body.insert(body.end(), segment_.begin(), segment_.begin() + static_cast<std::ptrdiff_t>(size));
  }
  return body;
}

Result<BodyBuffer> SegmentReader::read_body() {
  BodyBuffer body;
  while (!last_seen_) {
    TCFDL_ASSIGN(const auto frame, receive());
    TCFDL_ASSIGN(const auto size, take(frame, body.extend(frame.payload.size())));
    body.keep(size);
  }
  return body;
}

Status SegmentReader::drain() {
  while (!last_seen_) TCFDL_TRY(receive());
  position_ = available_ = 0;
  return {};
}

Result<FrameView> SegmentReader::receive() {
  auto frame = connection_.receive_in_place(deadline_);
  if (!frame) return frame;
  if (frame->kind == FrameKind::kMessage) return Error(Code::kInvalidArgument, "a message within a body");
  last_seen_ = frame->kind == FrameKind::kLastSegment;
  return frame;
}

/// The plaintext of a segment, to the front of `out`, which has room for it.
Result<std::size_t> SegmentReader::take(const FrameView& frame, std::span<std::uint8_t> out) {
  auto size = frame.payload.size();
  if (opener_) {
    auto opened = opener_->open(frame.payload, last_seen_, out);
    if (!opened) return opened.error().within("the body");
    size = *opened;
  } else if (size > 0) {
    std::memcpy(out.data(), frame.payload.data(), size);
  }
  total_ += size;
  if (total_ > limit_) return make_error(Code::kResourceExhausted, "the body is larger than {} bytes", limit_);
  return size;
}

} // namespace tcfdl::wire
