// A node's identity: enrolled once with a token, kept in its state.
#pragma once

#include "node/config.hpp"
#include "node/entrance.hpp"
#include "node/proxy_process.hpp"
#include "node/state.hpp"
#include "wire/signed.hpp"

namespace tcfdl::node {

/// Constant after construction.
struct NodeIdentity {
  NodeEntrance entrance;
  crypto::SigningKey signing;
  wire::Signed certificate;
  wire::Signed proxy_certificate;
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

} // namespace tcfdl::node
