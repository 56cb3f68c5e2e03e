#include "sdk/provider.hpp"

#include "base/encoding.hpp"

#include <functional>
#include <gtest/gtest.h>

namespace tcfdl::sdk {
namespace {

constexpr UnixSeconds kMetAt = 1'800'000'000;

class MeetingClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return kMetAt; }
};

/// Introduces itself; a test bends what it says.
class IntroducedProxy final : public Proxy {
public:
  IntroducedProxy() {
    certificate.set_subject("node-1/proxy");
    certificate.set_role(wire::ROLE_PROXY);
    certificate.set_cluster("west");
    certificate.set_node("node-1");
    certificate.set_issued(kMetAt - 10);
    certificate.set_expires(kMetAt + 10);
    certificate.set_verify_key(wire::field(key.public_key().bytes()));
  }
  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline) override {
    wire::ProxyReply reply;
    auto& introduced = *reply.mutable_introduced();
    *introduced.mutable_certificate() = wire::sign(*issuer, certificate);
    introduced.set_authority_key(wire::field(named->public_key().bytes()));
    introduced.set_proof(wire::field(wire::sign_labelled(
        *prover, label, {as_bytes(request.introduce().nonce()), as_bytes(introduced.certificate().statement())})));
    return reply;
  }

  crypto::SigningKey authority = crypto::SigningKey::generate();
  crypto::SigningKey key = crypto::SigningKey::generate();
  crypto::SigningKey stranger = crypto::SigningKey::generate();
  wire::Certificate certificate;
  const crypto::SigningKey* issuer = &authority; ///< of the certificate
  const crypto::SigningKey* named = &authority;  ///< as the authority
  const crypto::SigningKey* prover = &key;
  std::string label = "ProxyIntroduced";
};

Result<crypto::VerifyKey> meet(const std::function<void(IntroducedProxy&)>& bend) {
  IntroducedProxy proxy;
  InstanceEnvironment environment;
  environment.authority = to_hex(crypto::sha256(proxy.authority.public_key().bytes()));
  environment.node = "node-1";
  environment.cluster = "west";
  bend(proxy);
  return meet_proxy(environment, proxy, MeetingClock(), Deadline::after(std::chrono::seconds(10)));
}

Code refusal(const std::function<void(IntroducedProxy&)>& bend) {
  const auto met = meet(bend);
  return met ? Code{} : met.error().code();
}

TEST(MeetProxy, GivesTheAuthoritysKey) {
  std::string authority;
  const auto key = meet([&](auto& proxy) { authority = wire::field(proxy.authority.public_key().bytes()); });
  ASSERT_TRUE(key) << key.error().to_string();
  EXPECT_EQ(wire::field(key->bytes()), authority);
}

TEST(MeetProxy, RefusesAnotherAuthority) {
  EXPECT_EQ(refusal([](auto& proxy) { proxy.named = proxy.issuer = &proxy.stranger; }), Code::kUnauthenticated);
}

TEST(MeetProxy, RefusesACertificateThatTheAuthorityDidNotSign) {
  EXPECT_EQ(refusal([](auto& proxy) { proxy.issuer = &proxy.stranger; }), Code::kUnauthenticated);
}

TEST(MeetProxy, RefusesWhoDoesNotHoldTheKey) {
  EXPECT_EQ(refusal([](auto& proxy) { proxy.prover = &proxy.stranger; }), Code::kUnauthenticated);
  EXPECT_EQ(refusal([](auto& proxy) { proxy.label = "Hello"; }), Code::kUnauthenticated);
}

TEST(MeetProxy, RefusesOtherRolesNodesClustersAndTimes) {
  EXPECT_NE(refusal([](auto& proxy) { proxy.certificate.set_role(wire::ROLE_WORKER); }), Code{});
  EXPECT_EQ(refusal([](auto& proxy) { proxy.certificate.set_node("node-2"); }), Code::kUnauthenticated);
  EXPECT_EQ(refusal([](auto& proxy) { proxy.certificate.set_cluster("east"); }), Code::kUnauthenticated);
  EXPECT_EQ(refusal([](auto& proxy) { proxy.certificate.set_expires(kMetAt); }), Code::kUnauthenticated);
}

} // namespace
} // namespace tcfdl::sdk
