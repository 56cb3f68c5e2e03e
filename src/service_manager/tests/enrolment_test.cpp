#include "base/encoding.hpp"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

class Enrolment : public World {
protected:
  Error node_refusal(const std::function<void(wire::EnrolRequest&)>& change, bool sign = true) {
    auto request = node_request(node_, wire::ROLE_WORKER, token(wire::ROLE_WORKER));
    change(request);
    if (sign) sign_possession(request, node_.verify);
    return refusal(authority_->enrol(request));
  }
  static wire::RenewNode renewal(const NodeKeys& node) {
    wire::RenewNode request;
    request.set_node(node.name);
    *request.mutable_proxy_certificate() = node.proxy_certificate;
    const auto nonce = crypto::sha256(as_bytes(node.proxy_certificate.statement()));
    *request.mutable_proxy() = proxy_enrolment(node, wire::field(nonce));
    return request;
  }
  wire::Certificate certificate(const wire::Signed& from, wire::Role role) {
    return must(wire::verify_certificate(authority_->public_key(), from, {role}, clock_.now()));
  }

  NodeKeys node_{.name = "w1"};
  HolderKeys client_{.name = "phone"};
};

TEST_F(Enrolment, ANodeGetsCertificatesForItselfAndItsProxy) {
  const auto request = node_request(node_, wire::ROLE_WORKER, token(wire::ROLE_WORKER));
  const auto reply = must(authority_->enrol(request));
  EXPECT_EQ(reply.authority_key(), wire::field(authority_->public_key().bytes()));
  const auto node = certificate(reply.certificate(), wire::ROLE_WORKER);
  EXPECT_EQ(node.subject(), "w1");
  EXPECT_EQ(node.node(), "w1");
  EXPECT_EQ(node.cluster(), "west");
  EXPECT_EQ(node.expires(), kNow + 30 * 24 * 3600);
  EXPECT_TRUE(node.seal_key().empty());
  const auto proxy = certificate(reply.proxy_certificate(), wire::ROLE_PROXY);
  EXPECT_EQ(proxy.node(), "w1");
  EXPECT_EQ(proxy.tee_kind(), "software");
  EXPECT_EQ(proxy.assurance(), "software");
  EXPECT_EQ(proxy.measurement(), wire::field(kProxyMeasurement));
  EXPECT_EQ(proxy.seal_key(), bytes_of(node_.proxy_seal));
  EXPECT_EQ(proxy.evidence_hash(), wire::field(crypto::sha256(wire::serialize(request.proxy().evidence()))));
  EXPECT_NE(proxy.serial(), node.serial());
}

TEST_F(Enrolment, AClientGetsTheGrantsOfItsToken) {
  enrol(client_, {"plates/*", "echo"});
  const auto first = certificate(client_.certificate, wire::ROLE_CLIENT);
  EXPECT_THAT(first.grants(), testing::ElementsAre("plates/*", "echo"));
  EXPECT_TRUE(first.node().empty());
  HolderKeys other{.name = "tablet"};
  enrol(other);
  EXPECT_THAT(certificate(other.certificate, wire::ROLE_CLIENT).grants(), testing::ElementsAre("*"));
}

TEST_F(Enrolment, ATokenAdmitsOnce) {
  const auto secret = token(wire::ROLE_CLIENT);
  must(authority_->enrol(client_request(client_, secret)));
  EXPECT_THAT(refusal(authority_->enrol(client_request(client_, secret))), Refuses(Code::kUnauthenticated, "spent"));
}

TEST_F(Enrolment, ARefusalDoesNotSpendTheToken) {
  const auto secret = token(wire::ROLE_CLIENT);
  auto bad = client_request(client_, secret);
  bad.set_name("No Label");
  sign_possession(bad, client_.verify);
  EXPECT_THAT(refusal(authority_->enrol(bad)), Refuses(Code::kInvalidArgument, "name"));
  EXPECT_TRUE(authority_->enrol(client_request(client_, secret)));
}

TEST_F(Enrolment, UnknownAndExpiredTokensAreRefusedAsSuch) {
  EXPECT_THAT(refusal(authority_->enrol(client_request(client_, "made-up"))),
              Refuses(Code::kUnauthenticated, "unknown"));
  EXPECT_THAT(refusal(authority_->enrol(client_request(client_, std::string(1000, 'x')))),
              Refuses(Code::kInvalidArgument, "token_secret"));
  const auto secret = token(wire::ROLE_CLIENT);
  clock_.advance(3600);
  EXPECT_THAT(refusal(authority_->enrol(client_request(client_, secret))), Refuses(Code::kUnauthenticated, "expired"));
}

TEST_F(Enrolment, ATokenIsForOneRole) {
  auto request = client_request(client_, token(wire::ROLE_WORKER));
  EXPECT_THAT(refusal(authority_->enrol(request)), Refuses(Code::kPermissionDenied, "ROLE_WORKER"));
}

TEST_F(Enrolment, TokensAreStoredAsHashes) {
  const auto secret = token(wire::ROLE_CLIENT);
  EXPECT_EQ(must(from_base64url(secret)).size(), 32U);
  const auto found =
      must(database_->query_one("SELECT hash FROM tokens", {}, [](const auto& row) { return row.blob(0); }));
  ASSERT_TRUE(found);
  EXPECT_EQ(wire::field(*found), wire::field(crypto::sha256(as_bytes(secret))));
}

TEST_F(Enrolment, TokenRequestsHaveBounds) {
  wire::CreateToken request;
  request.set_cluster("west");
  for (const auto role : {wire::ROLE_UNSPECIFIED, wire::ROLE_PROXY, wire::ROLE_INSTANCE, wire::ROLE_GATEWAY}) {
    request.set_role(role);
    EXPECT_THAT(refusal(authority_->create_token(request)), Refuses(Code::kInvalidArgument, "tokens are for"));
  }
  request.set_role(wire::ROLE_WORKER);
  request.add_grants("*");
  EXPECT_THAT(refusal(authority_->create_token(request)), Refuses(Code::kInvalidArgument, "grants"));
  request.set_role(wire::ROLE_CLIENT);
  EXPECT_TRUE(authority_->create_token(request));
  request.add_grants("not a name");
  EXPECT_THAT(refusal(authority_->create_token(request)), Refuses(Code::kInvalidArgument, "grants"));
  request.clear_grants();
  request.set_cluster("No");
  EXPECT_THAT(refusal(authority_->create_token(request)), Refuses(Code::kInvalidArgument, "cluster"));
  request.set_cluster("west");
  request.set_lifetime(-1);
  EXPECT_THAT(refusal(authority_->create_token(request)), Refuses(Code::kInvalidArgument, "lifetime"));
  request.set_lifetime(60);
  const auto reply = must(authority_->create_token(request));
  EXPECT_EQ(reply.expires(), kNow + 60);
  EXPECT_EQ(reply.authority_key_hash(), wire::field(crypto::sha256(authority_->public_key().bytes())));
}

TEST_F(Enrolment, PossessionCoversTokenAndKeys) {
  EXPECT_THAT(node_refusal([](auto& request) { request.set_possession("x"); }, false),
              Refuses(Code::kUnauthenticated, "possession"));
  EXPECT_THAT(node_refusal([&](auto& request) { sign_possession(request, crypto::SigningKey::generate()); }, false),
              Refuses(Code::kUnauthenticated, "possession"));
  auto request = client_request(client_, token(wire::ROLE_CLIENT));
  request.set_seal_key(bytes_of(crypto::HpkePrivateKey::generate()));
  EXPECT_THAT(refusal(authority_->enrol(request)), Refuses(Code::kUnauthenticated, "possession"));
  request = client_request(client_, token(wire::ROLE_CLIENT));
  request.set_token_secret(token(wire::ROLE_CLIENT));
  EXPECT_THAT(refusal(authority_->enrol(request)), Refuses(Code::kUnauthenticated, "possession"));
}

TEST_F(Enrolment, KeysMustBePoints) {
  EXPECT_THAT(node_refusal([](auto& request) { request.set_verify_key(std::string(65, 4)); }),
              Refuses(Code::kInvalidArgument, "verify_key"));
  EXPECT_THAT(node_refusal([](auto& request) { request.set_platform_key("x"); }),
              Refuses(Code::kInvalidArgument, "platform_key"));
  EXPECT_THAT(node_refusal([](auto& request) { request.mutable_proxy()->set_seal_key("x"); }),
              Refuses(Code::kInvalidArgument, "proxy.seal_key"));
  EXPECT_THAT(node_refusal([](auto& request) { request.mutable_proxy()->set_nonce("short"); }),
              Refuses(Code::kInvalidArgument, "proxy.nonce"));
  EXPECT_THAT(node_refusal([](auto& request) { request.clear_proxy(); }), Refuses(Code::kInvalidArgument, "proxy"));
  EXPECT_THAT(node_refusal([&](auto& request) { request.set_seal_key(bytes_of(client_.seal)); }),
              Refuses(Code::kInvalidArgument, "seal_key"));
}

TEST_F(Enrolment, EvidenceMustBindTheProxysKeysAndTheNode) {
  EXPECT_THAT(node_refusal([](auto& request) { request.mutable_proxy()->set_nonce(std::string(32, 'o')); }),
              Refuses(Code::kPermissionDenied, "report_data"));
  const auto other = crypto::SigningKey::generate();
  EXPECT_THAT(node_refusal([&](auto& request) { request.mutable_proxy()->set_verify_key(bytes_of(other)); }),
              Refuses(Code::kPermissionDenied, "report_data"));
  EXPECT_THAT(node_refusal([](auto& request) { request.set_name("w2"); }), Refuses(Code::kPermissionDenied, "'w2'"));
  EXPECT_THAT(node_refusal([&](auto& request) { request.set_platform_key(bytes_of(other)); }),
              Refuses(Code::kPermissionDenied, "platform key"));
  EXPECT_THAT(node_refusal([](auto& request) { request.set_platform_key(""); }),
              Refuses(Code::kPermissionDenied, "platform key"))
      << "evidence in software needs one";
}

TEST_F(Enrolment, ThePolicyDecidesOverKindsAndMeasurements) {
  EXPECT_THAT(node_refusal([](auto& request) { request.mutable_proxy()->mutable_evidence()->set_tee_kind("sgx"); }),
              Refuses(Code::kPermissionDenied, "no verifier"));
  policy_ = must(attestation::Policy::parse_text("tee_kinds: {sgx: hardware}", "policy"));
  start();
  EXPECT_THAT(node_refusal([](auto&) {}), Refuses(Code::kPermissionDenied, "kind 'software'"));
  policy_ = must(attestation::Policy::parse_text(
      fmt::format("tee_kinds: {{software: software}}\nmeasurements: [{}]", std::string(64, 'a')), "policy"));
  start();
  EXPECT_THAT(node_refusal([](auto&) {}), Refuses(Code::kPermissionDenied, "measurement"));
}

TEST_F(Enrolment, IsRenewedForTheSameKeysByYoungerEvidence) {
  enrol(node_, wire::ROLE_WORKER);
  clock_.advance(20L * 24 * 3600);
  const auto renewed = must(authority_->renew_node(renewal(node_), "west"));
  const auto node = certificate(renewed.certificate(), wire::ROLE_WORKER);
  const auto proxy = certificate(renewed.proxy_certificate(), wire::ROLE_PROXY);
  EXPECT_EQ(node.verify_key(), bytes_of(node_.verify));
  EXPECT_EQ(node.expires(), clock_.now() + 30 * 24 * 3600);
  EXPECT_EQ(proxy.expires(), node.expires());
  EXPECT_EQ(proxy.verify_key(), bytes_of(node_.proxy));
  EXPECT_EQ(proxy.seal_key(), bytes_of(node_.proxy_seal));
  EXPECT_GT(proxy.serial(), certificate(node_.proxy_certificate, wire::ROLE_PROXY).serial());
  // The certificate of before serves until the node has the new one, and no longer than to the renewal after that.
  const auto before = node_.proxy_certificate;
  node_.proxy_certificate = renewed.proxy_certificate();
  for (const auto& present : {before, node_.proxy_certificate})
    EXPECT_TRUE(authority_->attestation_result(present, {}, "west"));
  clock_.advance(1);
  must(authority_->renew_node(renewal(node_), "west"));
  EXPECT_THAT(refusal(authority_->attestation_result(before, {}, "west")),
              Refuses(Code::kUnauthenticated, "certify it anew"));
}

TEST_F(Enrolment, WhoseRenewalsDoNotArriveServesOn) {
  enrol(node_, wire::ROLE_WORKER);
  for (int i = 0; i < 3; ++i) {
    must(authority_->renew_node(renewal(node_), "west"));
    EXPECT_TRUE(authority_->attestation_result(node_.proxy_certificate, {}, "west")) << i;
  }
}

TEST_F(Enrolment, IsNotRenewedByEvidenceOfBeforeOrOfAnotherOrAfterItsEnd) {
  enrol(node_, wire::ROLE_WORKER);
  auto request = renewal(node_);
  request.mutable_proxy()->set_nonce(std::string(32, 'n'));
  EXPECT_THAT(refusal(authority_->renew_node(request, "west")), Refuses(Code::kPermissionDenied, "does not answer"));
  request = renewal(node_);
  *request.mutable_proxy() = node_request(node_, wire::ROLE_WORKER, "").proxy();
  request.mutable_proxy()->set_nonce(renewal(node_).proxy().nonce());
  EXPECT_THAT(refusal(authority_->renew_node(request, "west")), Refuses(Code::kPermissionDenied, "report_data"));
  NodeKeys other{.name = "w1"};
  other.proxy_certificate = node_.proxy_certificate;
  EXPECT_THAT(refusal(authority_->renew_node(renewal(other), "west")), Refuses(Code::kPermissionDenied, "other keys"));
  EXPECT_THAT(refusal(authority_->renew_node(renewal(node_), "east")), Refuses(Code::kUnauthenticated, "w1"));
  request = renewal(node_);
  *request.mutable_proxy_certificate() = node_.certificate;
  EXPECT_THAT(refusal(authority_->renew_node(request, "west")), Refuses(Code::kPermissionDenied, "ROLE_WORKER"));
  policy_ = must(attestation::Policy::parse_text("tee_kinds: {sgx: hardware}", "policy"));
  start();
  EXPECT_THAT(refusal(authority_->renew_node(renewal(node_), "west")),
              Refuses(Code::kPermissionDenied, "kind 'software'"));
  policy_ = must(attestation::Policy::parse_text("tee_kinds: {software: software}", "policy"));
  start();
  clock_.advance(30L * 24 * 3600);
  EXPECT_THAT(refusal(authority_->renew_node(renewal(node_), "west")), Refuses(Code::kUnauthenticated, "expired"));
}

TEST_F(Enrolment, OfARevokedNodeIsNotRenewed) {
  enrol(node_, wire::ROLE_WORKER);
  wire::Revoke revoke;
  revoke.set_node("w1");
  must(authority_->revoke(revoke, "west"));
  EXPECT_THAT(refusal(authority_->renew_node(renewal(node_), "west")), Refuses(Code::kUnauthenticated, "was revoked"));
}

TEST_F(Enrolment, NamesAreUniqueInAClusterButTheSameKeyReenrols) {
  enrol(node_, wire::ROLE_WORKER);
  enrol(node_, wire::ROLE_WORKER);
  NodeKeys other{.name = "w1"};
  EXPECT_THAT(refusal(authority_->enrol(node_request(other, wire::ROLE_WORKER, token(wire::ROLE_WORKER)))),
              Refuses(Code::kAlreadyExists, "w1"));
  EXPECT_THAT(refusal(authority_->enrol(node_request(node_, wire::ROLE_MASTER, token(wire::ROLE_MASTER)))),
              Refuses(Code::kAlreadyExists, "w1"));
  enrol(other, wire::ROLE_WORKER, "east");
  must(authority_->remove_subject("west", "w1"));
  enrol(other, wire::ROLE_WORKER);
  EXPECT_THAT(refusal(authority_->remove_subject("west", "nobody")), Refuses(Code::kNotFound, "nobody"));
}

} // namespace
} // namespace tcfdl::service_manager
