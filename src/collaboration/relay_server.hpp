// The far end of relayed routes: streams of the message queue to instances of this node.
#pragma once

#include "collaboration/stream_connection.hpp"
#include "wire/messages.hpp"
#include "wire/sessions.hpp"

namespace tcfdl::collaboration {

/// Opens a connection to where a relay is to lead: an instance of this node, or the next node. NOT_FOUND for one that
/// is not here.
using OpenOnward = std::function<Result<std::unique_ptr<wire::Connection>>(const wire::OpenRelay& relay)>;

/// Streams that a node relays at a time.
constexpr std::size_t kMostRelays = 1024;

/// A thread a stream. The bus outlives it. Destructor = stop.
class RelayServer {
public:
  static Result<std::unique_ptr<RelayServer>> start(message_queue::Bus& bus, const std::string& node, OpenOnward open);
  RelayServer(const RelayServer&) = delete;
  RelayServer& operator=(const RelayServer&) = delete;
  ~RelayServer() { stop(); }
  void stop() noexcept;

private:
  explicit RelayServer(OpenOnward open) : open_(std::move(open)) {}
  void begin(std::unique_ptr<message_queue::NatsStream> stream, BytesView hello);
  void serve(wire::Connection& remote, const wire::OpenRelay& relay) const;

  OpenOnward open_;
  wire::Sessions sessions_{kMostRelays};
  std::optional<message_queue::StreamListener> listener_;
};

} // namespace tcfdl::collaboration
