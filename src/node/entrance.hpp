// Where a node connects to: carried by its enrolment token, kept in its state.
#pragma once

#include "message_queue/nats_bus.hpp"

namespace tcfdl::node {

struct NodeEntrance {
  std::string cluster;
  std::string host = "127.0.0.1"; ///< of the NATS server: the service manager's for masters, the master's for workers
  std::uint16_t port = 0;
  std::string seed;  ///< of a user that can do nothing but enrol; a secret
  std::string jwt;   ///< of the same user; expires with the token
  std::string tasks; ///< workers: the master's task manager, as wire::Address
  std::string tasks_token;
  Bytes root;              ///< who certifies servers: X.509 in DER, of the authority's key
  std::string server_name; ///< of that NATS server in its certificate

  [[nodiscard]] Bytes to_json() const;
  /// INVALID_ARGUMENT names the field. Whose key `root` is of is `check_root`'s to say.
  static Result<NodeEntrance> from_json(BytesView text);

  /// UNAUTHENTICATED unless `root` is of the key with that SHA-256.
  [[nodiscard]] Status check_root(BytesView authority_key_hash) const;

  /// Settings of a bus connection there for `user`.
  [[nodiscard]] message_queue::NatsBusSettings
  bus(const std::string& user, std::shared_ptr<const message_queue::UserCredential> credential) const;
  /// The same for the user of the token. INVALID_ARGUMENT for a bad seed.
  [[nodiscard]] Result<message_queue::NatsBusSettings> enrolling_bus() const;
};

} // namespace tcfdl::node
