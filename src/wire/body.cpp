#include "wire/body.hpp"

#include <cstring>

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

Result<std::size_t> SegmentReader::read(std::span<std::uint8_t> out) {
  while (position_ == available_ && !last_seen_) TCFDL_TRY(next());
  const auto taken = std::min(out.size(), available_ - position_);
  if (taken == 0) return taken;
  std::memcpy(out.data(), segment_.data() + position_, taken);
  position_ += taken;
  return taken;
}

Result<Bytes> SegmentReader::read_all() {
  Bytes body;
  for (;;) {
    body.insert(body.end(), segment_.begin() + static_cast<std::ptrdiff_t>(position_),
                segment_.begin() + static_cast<std::ptrdiff_t>(available_));
    position_ = available_;
    if (last_seen_) return body;
    TCFDL_TRY(next());
  }
}

Status SegmentReader::drain() {
  while (!last_seen_) {
    TCFDL_ASSIGN(const auto kind, connection_.receive(segment_, deadline_));
    if (kind == FrameKind::kMessage) return Error(Code::kInvalidArgument, "a message within a body");
    last_seen_ = kind == FrameKind::kLastSegment;
  }
  position_ = available_ = 0;
  return {};
}

Status SegmentReader::next() {
  TCFDL_ASSIGN(const auto kind, connection_.receive(segment_, deadline_));
  if (kind == FrameKind::kMessage) return Error(Code::kInvalidArgument, "a message within a body");
  last_seen_ = kind == FrameKind::kLastSegment;
  position_ = 0;
  available_ = segment_.size();
  if (opener_) {
    auto opened = opener_->open(segment_, last_seen_, segment_);
    if (!opened) {
      available_ = 0;
      return opened.error().within("the body");
    }
    available_ = *opened;
  }
  total_ += available_;
  if (total_ > limit_) return make_error(Code::kResourceExhausted, "the body is larger than {} bytes", limit_);
  return {};
}

} // namespace tcfdl::wire
