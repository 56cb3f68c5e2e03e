#include "wire/framed.hpp"

#include <algorithm>
#include <cstring>

namespace tcfdl::wire {
namespace {

constexpr std::size_t kHeaderSize = 5;
constexpr std::size_t kBufferSize = std::size_t{72} * 1024;
constexpr std::size_t kMostKept = std::size_t{16} * 1024;

std::array<std::uint8_t, kHeaderSize> make_header(FrameKind kind, std::size_t size) {
  return {static_cast<std::uint8_t>(size >> 24U), static_cast<std::uint8_t>(size >> 16U),
          static_cast<std::uint8_t>(size >> 8U), static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(kind)};
}

} // namespace

FramedConnection::FramedConnection() : buffer_(kBufferSize) {}

Status FramedConnection::send(FrameKind kind, BytesView payload, Deadline deadline) {
  if (payload.size() > kMaxFrame)
    return make_error(Code::kInternal, "a frame of {} bytes is too large", payload.size());
  const auto header = make_header(kind, payload.size());
  if (kept_.empty()) return write(header, payload, deadline);
  kept_.insert(kept_.end(), header.begin(), header.end());
  return write(std::exchange(kept_, {}), payload, deadline);
}

Status FramedConnection::send_with_next(FrameKind kind, BytesView payload, Deadline deadline) {
  if (kept_.size() + payload.size() > kMostKept) return send(kind, payload, deadline);
  const auto header = make_header(kind, payload.size());
  kept_.insert(kept_.end(), header.begin(), header.end());
  kept_.insert(kept_.end(), payload.begin(), payload.end());
  return {};
}

Result<FrameKind> FramedConnection::receive(Bytes& payload, Deadline deadline) {
  TCFDL_ASSIGN(const auto frame, receive_in_place(deadline));
  payload.assign(frame.payload.begin(), frame.payload.end());
  return frame.kind;
}

Result<FrameView> FramedConnection::receive_in_place(Deadline deadline) {
  if (begin_ == end_ && buffer_.size() > kBufferSize) buffer_ = Bytes(kBufferSize);
  TCFDL_TRY(fill(kHeaderSize, deadline));
  const auto* header = buffer_.data() + begin_;
  const auto size = (std::size_t{header[0]} << 24U) | (std::size_t{header[1]} << 16U) | (std::size_t{header[2]} << 8U) |
                    std::size_t{header[3]};
  const auto kind = header[4];
  if (kind < 1 || kind > 3) return make_error(Code::kInvalidArgument, "a frame of the unknown kind {}", kind);
  if (size > kMaxFrame) return make_error(Code::kInvalidArgument, "a frame of {} bytes; at most {}", size, kMaxFrame);
  TCFDL_TRY(fill(kHeaderSize + size, deadline));
  const auto payload = BytesView(buffer_).subspan(begin_ + kHeaderSize, size);
  begin_ += kHeaderSize + size;
  return FrameView{static_cast<FrameKind>(kind), payload};
}

/// Has that many bytes from `begin_` on, or keeps what came until the deadline.
Status FramedConnection::fill(std::size_t wanted, Deadline deadline) {
  if (end_ - begin_ >= wanted) return {};
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  while (end_ < wanted) {
    TCFDL_ASSIGN(const auto got, read_some(std::span(buffer_).subspan(end_), deadline));
    end_ += got;
  }
  return {};
}

} // namespace tcfdl::wire
