// Protobuf messages in and out of bytes and connections.
#pragma once

#include "base/ids.hpp"
#include "wire/connection.hpp"
#include "wire/proto/control.pb.h"
#include "wire/proto/task.pb.h"
#include "wire/proto/topic.pb.h"
#include "wire/proto/trust.pb.h"

#include <algorithm>

namespace tcfdl::wire {

/// Parses a message from outside. INVALID_ARGUMENT names its type.
template <class Message> Result<Message> parse(BytesView bytes) {
  Message message;
  if (bytes.size() <= kMaxFrame && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
  return make_error(Code::kInvalidArgument, "{} bytes are no {}", bytes.size(), message.GetTypeName());
}

template <class Message> Result<Message> parse(const std::string& bytes) { return parse<Message>(as_bytes(bytes)); }

template <class Message> Bytes serialize(const Message& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

/// A bytes field from bytes.
inline std::string field(BytesView bytes) { return std::string(as_text(bytes)); }

template <class Message> Status send_message(Connection& connection, const Message& message, Deadline deadline) {
  return connection.send(FrameKind::kMessage, serialize(message), deadline);
}

/// A message that a body follows at once.
template <class Message> Status send_head(Connection& connection, const Message& message, Deadline deadline) {
  return connection.send_with_next(FrameKind::kMessage, serialize(message), deadline);
}

/// Receives a frame that must be a message of this type.
template <class Message> Result<Message> receive_message(Connection& connection, Deadline deadline) {
  Bytes payload;
  TCFDL_ASSIGN(const auto kind, connection.receive(payload, deadline));
  if (kind != FrameKind::kMessage) return Error(Code::kInvalidArgument, "a body segment where a message was expected");
  return parse<Message>(payload);
}

/// Sends a request and receives its reply.
template <class Reply, class Request>
Result<Reply> exchange(Connection& connection, const Request& request, Deadline deadline) {
  TCFDL_TRY(send_message(connection, request, deadline));
  return receive_message<Reply>(connection, deadline);
}

inline ErrorInfo to_info(const Error& error) {
  ErrorInfo info;
  info.set_code(static_cast<std::uint32_t>(error.code()));
  info.set_message(error.message());
  info.set_retry_after_ms(
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(error.retry_after().count(), 0, 1U << 31U)));
  return info;
}

inline Error to_error(const ErrorInfo& info) {
  Error error(code_from_number(info.code()), info.message());
  error.set_retry_after(std::chrono::milliseconds(info.retry_after_ms()));
  return error;
}

} // namespace tcfdl::wire
