// Evidence of any TEE at enrolment, the policy that judges it, and the results that tell of it.
#include "attestation/intel.hpp"
#include "attestation/result_token.hpp"
#include "attestation/samples/intel_world.hpp"
#include "base/encoding.hpp"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Attestation : public World {
protected:
  Attestation() {
    verifiers_.push_back(std::make_unique<attestation::IntelVerifier>(
        attestation::kSgx, attestation::test::IntelKeys::get().root.point()));
    set_policy("{version: 1, tee_kinds: {software: software, sgx: hardware}}");
  }

  void set_policy(const std::string& yaml) {
    document_ = must(attestation::PolicyDocument::parse_text(yaml, "policy"));
    policy_hash_ = to_bytes(as_text(crypto::sha256(as_bytes(yaml))));
    start();
  }

  /// A request of a node whose proxy runs in an enclave of the tests' Intel; its evidence binds the proxy's keys.
  wire::EnrolRequest sgx_request(const NodeKeys& node, wire::Role role) {
    auto request = node_request(node, role, token(role));
    auto& proxy = *request.mutable_proxy();
    const auto data = attestation::report_data("proxy", as_bytes(proxy.nonce()),
                                               {as_bytes(proxy.verify_key()), as_bytes(proxy.seal_key())});
    constexpr std::size_t kReportData = 320;
    std::ranges::copy(data, sgx_.body.begin() + kReportData);
    *proxy.mutable_evidence() = sgx_.evidence();
    sign_possession(request, node.verify);
    return request;
  }
  /// Knows the collateral of the tests' Intel, and lives in its time.
  void know_intel() {
    clock_.advance(attestation::test::kNow - clock_.now());
    endorsements_ = [this]() -> Result<std::vector<attestation::Endorsements>> {
      if (broken_) return Error(Code::kNotFound, "no such directory");
      return std::vector{attestation::Endorsements(), sgx_.endorsements()};
    };
    start();
  }
  wire::Certificate proxy_of(const wire::EnrolReply& reply) {
    return must(wire::verify_certificate(authority_->public_key(), reply.proxy_certificate(), {wire::ROLE_PROXY},
                                         clock_.now()));
  }
  attestation::AttestationResult read(const std::string& token) {
    attestation::Findings findings;
    auto result =
        attestation::verify_result(attestation::Jwks({authority_->public_key()}), token, clock_.now(), findings);
    EXPECT_TRUE(result) << (findings.reasons().empty() ? "" : findings.reasons()[0].claim);
    return result ? *result : attestation::AttestationResult();
  }
  HolderKeys launch(const std::string& name = "instance-1") {
    HolderKeys instance{.name = name};
    instance.certificate =
        must(authority_->instance_keys(instance_request(node_, statement(instance, node_)), "west")).certificate();
    return instance;
  }
  static std::string hash_of(const wire::Signed& certificate) {
    return to_hex(crypto::sha256(as_bytes(certificate.statement())));
  }

  attestation::test::IntelWorld sgx_;
  NodeKeys node_{.name = "w1"};
  bool broken_ = false;
};

TEST_F(Attestation, HardwareEnrolsInItsClass) {
  know_intel();
  const auto certificate = proxy_of(must(authority_->enrol(sgx_request(node_, wire::ROLE_WORKER))));
  EXPECT_EQ(certificate.tee_kind(), "sgx");
  EXPECT_EQ(certificate.assurance(), "hardware");
  EXPECT_EQ(certificate.policy_version(), 1U);
  EXPECT_EQ(certificate.measurement().size(), 32U);
  node_.name = "w2";
  auto request = node_request(node_, wire::ROLE_WORKER, token(wire::ROLE_WORKER));
  EXPECT_EQ(proxy_of(must(authority_->enrol(request))).assurance(), "software");
}

TEST_F(Attestation, HardwareIsRefusedWithoutCollateralBindingOrTrust) {
  clock_.advance(attestation::test::kNow - clock_.now());
  EXPECT_THAT(refusal(authority_->enrol(sgx_request(node_, wire::ROLE_WORKER))),
              Refuses(Code::kPermissionDenied, "tcb_info.json"));
  know_intel();
  auto request = sgx_request(node_, wire::ROLE_WORKER);
  request.mutable_proxy()->set_nonce(std::string(32, 'o'));
  sign_possession(request, node_.verify);
  EXPECT_THAT(refusal(authority_->enrol(request)), Refuses(Code::kPermissionDenied, "report_data"));
  broken_ = true;
  EXPECT_THAT(refusal(authority_->enrol(sgx_request(node_, wire::ROLE_WORKER))),
              Refuses(Code::kNotFound, "endorsements: no such directory"));
}

TEST_F(Attestation, CollateralIsReadAtEachVerdict) {
  know_intel();
  must(authority_->enrol(sgx_request(node_, wire::ROLE_WORKER)));
  NodeKeys later{.name = "w2"};
  attestation::test::IntelWorld::replace(sgx_.tcb_info, "\"UpToDate\"", "\"Revoked\"");
  EXPECT_THAT(refusal(authority_->enrol(sgx_request(later, wire::ROLE_WORKER))),
              Refuses(Code::kPermissionDenied, "Revoked"));
}

TEST_F(Attestation, EachRoleHasItsOwnRules) {
  set_policy("{version: 2, roles: {master: {tee_kinds: {software: software}}, worker: {tee_kinds: {sgx: hardware}}}}");
  know_intel();
  NodeKeys master{.name = "m"};
  must(authority_->enrol(node_request(master, wire::ROLE_MASTER, token(wire::ROLE_MASTER))));
  EXPECT_THAT(refusal(authority_->enrol(node_request(node_, wire::ROLE_WORKER, token(wire::ROLE_WORKER)))),
              Refuses(Code::kPermissionDenied, "proxy.evidence: tee: kind 'software' (wanted: a kind that tee_kinds"));
  must(authority_->enrol(sgx_request(node_, wire::ROLE_WORKER)));
  set_policy("{version: 3, roles: {master: {tee_kinds: {software: software}}}}");
  EXPECT_THAT(refusal(authority_->enrol(node_request(node_, wire::ROLE_WORKER, token(wire::ROLE_WORKER)))),
              Refuses(Code::kPermissionDenied, "role: worker (wanted: a role that the policy has rules for: master)"));
  document_ = attestation::PolicyDocument();
  start();
  EXPECT_THAT(refusal(authority_->enrol(node_request(master, wire::ROLE_MASTER, token(wire::ROLE_MASTER)))),
              Refuses(Code::kPermissionDenied, "none for anybody"));
}

TEST_F(Attestation, AFunctionsRulesHoldForWhoProcessesAndWhoServesCallers) {
  HolderKeys client{.name = "phone"};
  enrol(node_, wire::ROLE_WORKER);
  enrol(client);
  must(registry_->register_function("west", signed_descriptor()));
  const auto program = to_hex(as_bytes(kFunctionMeasurement));
  const auto with = [&](int version, const std::string& rules) {
    set_policy(fmt::format("{{version: {}, tee_kinds: {{software: software}}, functions: [{{name: plates/*, {}}}]}}",
                           version, rules));
  };
  HolderKeys instance{.name = "i"};
  const auto processor = [&] {
    return authority_->instance_keys(instance_request(node_, statement(instance, node_)), "west");
  };
  const auto sender = [&] { return authority_->sender_keys(sender_request(client, node_), "west"); };
  with(2, "tee_kinds: {software: software}, measurements: [" + program + "]");
  EXPECT_TRUE(processor());
  EXPECT_TRUE(sender());
  with(3, "tee_kinds: {software: software}, measurements: [" + std::string(64, 'a') + "]");
  EXPECT_THAT(refusal(processor()), Refuses(Code::kPermissionDenied, "plates/read: program: " + program));
  EXPECT_TRUE(sender()) << "the program is not there";
  with(4, "tee_kinds: {sgx: hardware}");
  EXPECT_THAT(refusal(processor()), Refuses(Code::kPermissionDenied, "kind 'software'"));
  EXPECT_THAT(refusal(sender()), Refuses(Code::kPermissionDenied, "kind 'software'"));
}

TEST_F(Attestation, VersionsOfThePolicyAreKeptAndNeverGoBack) {
  const auto opened = [&](const std::string& yaml) {
    document_ = must(attestation::PolicyDocument::parse_text(yaml, "policy"));
    policy_hash_ = to_bytes(as_text(crypto::sha256(as_bytes(yaml))));
    return open_authority();
  };
  set_policy("{version: 5, tee_kinds: {software: software}}");
  EXPECT_EQ(authority_->policy_version(), 5U);
  EXPECT_TRUE(opened("{version: 5, tee_kinds: {software: software}}"));
  EXPECT_THAT(refusal(opened("{version: 5, tee_kinds: {sgx: hardware}}")),
              Refuses(Code::kFailedPrecondition, "still 5"));
  EXPECT_THAT(refusal(opened("{version: 4, tee_kinds: {software: software}}")),
              Refuses(Code::kFailedPrecondition, "version 5 was in force"));
  EXPECT_TRUE(opened("{version: 6, tee_kinds: {sgx: hardware}}"));
}

TEST_F(Attestation, AResultTellsWhatWasJudged) {
  set_policy("{version: 9, tee_kinds: {sgx: hardware}}");
  know_intel();
  const auto request = sgx_request(node_, wire::ROLE_WORKER);
  const auto reply = must(authority_->enrol(request));
  const auto result = read(must(authority_->attestation_result(reply.proxy_certificate(), Bytes(8, 7), "west")));
  EXPECT_EQ(result.subject, "west/w1/proxy");
  EXPECT_EQ(result.role, "proxy");
  EXPECT_EQ(result.cluster, "west");
  EXPECT_EQ(result.node, "w1");
  EXPECT_EQ(result.issued, clock_.now());
  EXPECT_EQ(result.expires, clock_.now() + attestation::kResultLifetime);
  EXPECT_EQ(result.nonce, Bytes(8, 7));
  EXPECT_EQ(as_text(result.key), bytes_of(node_.proxy));
  EXPECT_EQ(result.assurance, "hardware");
  EXPECT_EQ(result.tee_kind, "sgx");
  EXPECT_EQ(result.tcb_status, "UpToDate");
  EXPECT_EQ(result.policy_version, 9U);
  EXPECT_FALSE(result.debug);
  EXPECT_EQ(result.measurement, result.tee_measurement);
  EXPECT_FALSE(result.signer.empty());
  EXPECT_EQ(to_hex(result.certificate_hash), hash_of(reply.proxy_certificate()));
  EXPECT_EQ(as_text(result.evidence_hash), proxy_of(reply).evidence_hash())
      << "certificate and result are of one piece";
}

TEST_F(Attestation, OfAnInstanceItTellsProgramAndTee) {
  enrol(node_, wire::ROLE_WORKER);
  must(registry_->register_function("west", signed_descriptor()));
  const auto instance = launch();
  EXPECT_EQ(must(wire::parse<wire::Certificate>(instance.certificate.statement())).policy_version(), 1U);
  const auto result = read(must(authority_->attestation_result(instance.certificate, {}, "west")));
  EXPECT_EQ(result.role, "instance");
  EXPECT_EQ(result.subject, "west/instance-1");
  EXPECT_EQ(result.function, "plates/read");
  EXPECT_EQ(as_text(result.measurement), kFunctionMeasurement);
  EXPECT_EQ(result.tee_measurement, kProxyMeasurement);
  EXPECT_EQ(as_text(result.key), bytes_of(instance.verify));
  EXPECT_EQ(to_hex(result.certificate_hash), hash_of(instance.certificate));
  EXPECT_TRUE(result.nonce.empty());
}

TEST_F(Attestation, NoResultForWhoWouldNotBeAdmittedNow) {
  enrol(node_, wire::ROLE_WORKER);
  must(registry_->register_function("west", signed_descriptor()));
  const auto instance = launch();
  const auto result = [&](const wire::Signed& certificate) {
    return authority_->attestation_result(certificate, {}, "west");
  };
  EXPECT_THAT(refusal(result(node_.certificate)), Refuses(Code::kPermissionDenied, "certificate"));
  EXPECT_THAT(refusal(authority_->attestation_result(node_.proxy_certificate, {}, "east")),
              Refuses(Code::kPermissionDenied, "cluster west"));
  EXPECT_THAT(refusal(authority_->attestation_result(node_.proxy_certificate, Bytes(7, 1), "west")),
              Refuses(Code::kInvalidArgument, "nonce"));
  EXPECT_THAT(refusal(authority_->attestation_result(node_.proxy_certificate, Bytes(65, 1), "west")),
              Refuses(Code::kInvalidArgument, "nonce"));
  auto forged = node_.proxy_certificate;
  forged.set_signature("x");
  EXPECT_THAT(refusal(result(forged)), Refuses(Code::kUnauthenticated, "certificate"));
  set_policy("{version: 2, tee_kinds: {software: software}, functions: [{name: '*', tee_kinds: {sgx: hardware}}]}");
  EXPECT_THAT(refusal(result(instance.certificate)), Refuses(Code::kPermissionDenied, "plates/read"));
  EXPECT_TRUE(result(node_.proxy_certificate));
  set_policy("{version: 3, tee_kinds: {sgx: hardware}}");
  EXPECT_THAT(refusal(result(node_.proxy_certificate)), Refuses(Code::kPermissionDenied, "kind 'software'"));
  must(authority_->remove_subject("west", "w1"));
  EXPECT_THAT(refusal(result(node_.proxy_certificate)), Refuses(Code::kUnauthenticated, "not enrolled"));
}

TEST_F(Attestation, NoResultForARevokedInstance) {
  enrol(node_, wire::ROLE_WORKER);
  must(registry_->register_function("west", signed_descriptor()));
  const auto instance = launch();
  EXPECT_TRUE(authority_->attestation_result(instance.certificate, {}, "west"));
  wire::Revoke revoke;
  revoke.set_instance(instance.name);
  must(authority_->revoke(revoke, "west"));
  EXPECT_THAT(refusal(authority_->attestation_result(instance.certificate, {}, "west")),
              Refuses(Code::kUnauthenticated, "revoked"));
  EXPECT_TRUE(authority_->attestation_result(node_.proxy_certificate, {}, "west")) << "nobody else is";
}

TEST_F(Attestation, ANewEnrolmentEndsTheCertificatesOfTheOldEvidence) {
  enrol(node_, wire::ROLE_WORKER);
  must(registry_->register_function("west", signed_descriptor()));
  const auto instance = launch();
  const auto before = node_.proxy_certificate;
  clock_.advance(10);
  enrol(node_, wire::ROLE_WORKER); // the same keys; the report is signed anew
  EXPECT_THAT(refusal(authority_->attestation_result(before, {}, "west")),
              Refuses(Code::kUnauthenticated, "certify it"));
  EXPECT_THAT(refusal(authority_->attestation_result(instance.certificate, {}, "west")),
              Refuses(Code::kUnauthenticated, "certify it"));
  EXPECT_TRUE(authority_->attestation_result(node_.proxy_certificate, {}, "west"));
}

TEST_F(Attestation, MastersAskForResultsOfTheirCluster) {
  NodeKeys master{.name = "m"};
  enrol(master, wire::ROLE_MASTER);
  enrol(node_, wire::ROLE_WORKER);
  const auto ask = [&](const NodeKeys& asker) {
    collaboration::CredentialRequest request;
    request.mutable_attestation_result()->set_certificate(wire::field(wire::serialize(node_.proxy_certificate)));
    return service_->handle_credential(
        wire::serialize(make_request(asker.verify, asker.certificate, kNow, wire::serialize(request))));
  };
  const auto reply = must(wire::parse<collaboration::CredentialReply>(must(ask(master))));
  EXPECT_EQ(read(reply.attestation_result()).node, "w1");
  EXPECT_THAT(refusal(ask(node_)), Refuses(Code::kPermissionDenied, ""));
}

} // namespace
} // namespace tcfdl::service_manager
