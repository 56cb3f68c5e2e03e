#include "collaboration/stream_connection.hpp"

#include <cstring>
#include <thread>

namespace tcfdl::collaboration {
namespace {

using std::chrono::hours;

void carry(wire::Connection& from, wire::Connection& to) {
  Bytes payload;
  for (;;) {
    const auto kind = from.receive(payload, Deadline::after(hours(24)));
    if (!kind || !to.send(*kind, payload, Deadline::after(hours(1)))) break;
  }
  from.shutdown();
  to.shutdown();
}

} // namespace

Status StreamConnection::send(wire::FrameKind kind, BytesView payload, Deadline deadline) {
  outgoing_.resize(payload.size() + 1);
  outgoing_[0] = static_cast<std::uint8_t>(kind);
  if (!payload.empty()) std::memcpy(outgoing_.data() + 1, payload.data(), payload.size());
  return stream_->send(outgoing_, deadline);
}

Result<wire::FrameKind> StreamConnection::receive(Bytes& payload, Deadline deadline) {
  TCFDL_ASSIGN(const auto message, stream_->receive(deadline));
  if (message.empty() || message[0] < 1 || message[0] > 3 || message.size() > wire::kMaxFrame + 1) {
    return make_error(Code::kInvalidArgument, "a stream's message of {} bytes is no frame", message.size());
  }
  payload.assign(message.begin() + 1, message.end());
  return static_cast<wire::FrameKind>(message[0]);
}

void splice(wire::Connection& left, wire::Connection& right) {
  std::jthread back([&] { carry(right, left); });
  carry(left, right);
}

} // namespace tcfdl::collaboration
