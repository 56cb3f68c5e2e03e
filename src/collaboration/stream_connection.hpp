// A message-queue stream as a connection, and the splice of two connections into one.
#pragma once

#include "message_queue/stream.hpp"
#include "wire/connection.hpp"

namespace tcfdl::collaboration {

/// A message of the stream is a frame: its kind (1 byte), then the payload.
class StreamConnection final : public wire::Connection {
public:
  /// `bus`, where given, lives as long as the stream.
  explicit StreamConnection(std::unique_ptr<message_queue::NatsStream> stream,
                            std::shared_ptr<message_queue::Bus> bus = nullptr)
      : bus_(std::move(bus)), stream_(std::move(stream)) {}

  Status send(wire::FrameKind kind, BytesView payload, Deadline deadline) override;
  Result<wire::FrameKind> receive(Bytes& payload, Deadline deadline) override;
  void shutdown() noexcept override { stream_->shutdown(); }

private:
  std::shared_ptr<message_queue::Bus> bus_; // outlives the stream
  std::unique_ptr<message_queue::NatsStream> stream_;
  Bytes outgoing_;
};

/// Carries frames both ways until either side ends; then both do. Holds one frame a direction. Blocks.
void splice(wire::Connection& left, wire::Connection& right);

} // namespace tcfdl::collaboration
