// Neighbours on a path, with certificates of one authority.
#pragma once

#include "wire/hop_channel.hpp"
#include "wire/proto/hop.pb.h"
#include "wire/tests/pipe.hpp"

#include <future>

namespace tcfdl::wire {

constexpr std::int64_t kHopNow = 1'800'000'000;

struct HopParty {
  HopParty(const crypto::SigningKey& root, Role role, const std::string& name) : authority(root.public_key()) {
    statement.set_subject(name);
    statement.set_role(role);
    statement.set_cluster("west");
    statement.set_node("node-1");
    statement.set_assurance("software");
    statement.set_evidence_hash(std::string(32, 'e'));
    statement.set_issued(kHopNow - 10);
    statement.set_expires(kHopNow + 3600);
    statement.set_verify_key(field(signing.public_key().bytes()));
    statement.add_grants("*");
    certificate = sign(root, statement);
  }
  [[nodiscard]] HopIdentity identity() const { return {signing, certificate, authority}; }

  crypto::SigningKey signing = crypto::SigningKey::generate();
  crypto::VerifyKey authority;
  Certificate statement;
  Signed certificate;
};

/// The other end of a handshake, as a proxy or an instance has it after its first frames.
inline Result<std::unique_ptr<HopChannel>> answer_hop(Connection& carrier, const HopIdentity& identity,
                                                      std::initializer_list<Role> roles, Deadline deadline) {
  Hello hello;
  TCFDL_TRY(send_message(carrier, hello, deadline));
  TCFDL_ASSIGN(const auto request, receive_message<TaskRequest>(carrier, deadline));
  return accept_hop(carrier, identity, as_bytes(request.hop()), roles, kHopNow, deadline);
}

/// Both ends of a hop that stands, over a pipe whose frames a test can take for itself.
struct HopPair {
  HopPair(const HopParty& caller, const HopParty& proxy, HopLimits limits = {}) {
    HopInitiator initiator(caller.identity());
    auto responder = HopResponder::answer(proxy.identity(), initiator.offer(), {caller.statement.role()}, kHopNow);
    Bytes finish;
    auto near_keys = initiator.finish(responder.value().message(), {proxy.statement.role()}, kHopNow, finish);
    auto far_keys = std::move(*responder).confirm(finish);
    near = std::make_unique<HopChannel>(*pipe.left, HopChannel::Side::kCaller, std::move(near_keys).value(), kHopNow,
                                        limits);
    far = std::make_unique<HopChannel>(*pipe.right, HopChannel::Side::kInstance, std::move(far_keys).value(), kHopNow,
                                       limits);
  }
  Pipe pipe;
  std::unique_ptr<HopChannel> near;
  std::unique_ptr<HopChannel> far;
};

} // namespace tcfdl::wire
