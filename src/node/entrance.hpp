// Where a node connects to: carried by its enrolment token, kept in its state.
#pragma once

#include "message_queue/nats_bus.hpp"

namespace tcfdl::node {

struct NodeEntrance {
  std::string cluster;
  std::string host = "127.0.0.1"; ///< of the NATS server: the service manager's for masters, the master's for workers
  std::uint16_t port = 0;
  std::string user;
  std::string password;
  std::string tasks; ///< workers: the master's task manager, as wire::Address
  std::string tasks_token;

  [[nodiscard]] Bytes to_json() const;
  /// INVALID_ARGUMENT names the field.
  static Result<NodeEntrance> from_json(BytesView text);

  /// Settings of a bus connection there, in the name of `who`.
  [[nodiscard]] message_queue::NatsBusSettings bus(const std::string& who) const;
};

} // namespace tcfdl::node
