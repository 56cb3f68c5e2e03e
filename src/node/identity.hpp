// A node's identity: enrolled once with a token, kept in its state.
#pragma once

#include "base/clock.hpp"
#include "node/config.hpp"
#include "node/entrance.hpp"
#include "node/proxy_process.hpp"
#include "node/state.hpp"
#include "wire/held_certificate.hpp"

namespace tcfdl::node {

/// Constant after construction, but for the certificates.
struct NodeIdentity {
  NodeEntrance entrance;
  crypto::SigningKey signing;
  wire::HeldCertificate certificate;
  wire::HeldCertificate proxy_certificate;
  crypto::VerifyKey authority;
};

/// Where the node connects to: from its state or, the first time, from its enrolment token.
Result<NodeEntrance> read_entrance(const HostConfig& config, NodeState& state);

/// Sends an enrolment to the authority and returns its reply.
using SendEnrolment = std::function<Result<Bytes>(BytesView request)>;

/// The identity from the state or, the first time, by enrolment of node and proxy; the proxy is given its own.
/// UNAUTHENTICATED for a token that is spent or of another authority.
Result<NodeIdentity> obtain_identity(const HostConfig& config, NodeState& state, NodeEntrance entrance, wire::Role role,
                                     ProxyProcess& proxy, const SendEnrolment& send);

/// Sends a request to the authority in the name of the node's cluster.
using AskAuthority = std::function<Result<wire::AuthorityReply>(const wire::AuthorityRequest&, Deadline)>;

/// The next certificates of node and proxy, for the keys that they have: kept in the state, then in force. Errors of
/// the proxy and the authority; UNAUTHENTICATED for certificates that are not newer ones of the same.
Status renew_identity(const HostConfig& config, NodeState& state, const NodeIdentity& identity, ProxyProcess& proxy,
                      const AskAuthority& ask, const Clock& clock);

} // namespace tcfdl::node
