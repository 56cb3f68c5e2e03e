#include "attestation/judgement.hpp"

#include "attestation/intel.hpp"
#include "attestation/samples/intel_world.hpp"
#include "attestation/software.hpp"
#include "base/file.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

using testing::HasSubstr;

/// A verifier of SGX quotes under the root of the tests, beside that of the software TEE.
Verifiers test_verifiers() {
  Verifiers verifiers;
  verifiers.push_back(std::make_unique<SoftwareVerifier>());
  verifiers.push_back(std::make_unique<IntelVerifier>(kSgx, test::IntelKeys::get().root.point()));
  return verifiers;
}

class Judgement : public testing::Test {
protected:
  Findings judged(const std::string& policy, const std::string& role = "worker") {
    expected_.unbound = true;
    const auto document = PolicyDocument::parse_text(policy, "policy").value();
    return judge(
        verifiers_, document,
        {.evidence = evidence_, .endorsements = sets_, .expected = expected_, .now = world_.now, .role = role});
  }
  std::string refused(const std::string& policy, const std::string& role = "worker") {
    const auto outcome = judged(policy, role).outcome();
    EXPECT_FALSE(outcome) << policy;
    return outcome ? "" : outcome.error().message();
  }

  test::IntelWorld world_;
  Verifiers verifiers_ = test_verifiers();
  wire::Evidence evidence_ = world_.evidence();
  std::vector<Endorsements> sets_{world_.endorsements()};
  Expectations expected_;
};

constexpr const char* kSgxOnly = "tee_kinds: {sgx: hardware}";

TEST_F(Judgement, HardwareOfAKindThatThePolicyNamesIsOfTheHardwareClass) {
  const auto findings = judged(kSgxOnly);
  EXPECT_TRUE(findings.accepted()) << findings.outcome().error().message();
  EXPECT_EQ(findings.assurance(), "hardware");
  EXPECT_THAT(refused("tee_kinds: {tdx: hardware, software: software}"), HasSubstr("kind 'sgx'"));
}

TEST_F(Judgement, ARoleWithoutRulesIsRefusedAndToldWhichHaveSome) {
  const std::string masters = "roles: {master: {tee_kinds: {sgx: hardware}}}";
  EXPECT_TRUE(judged(masters, "master").accepted());
  EXPECT_THAT(refused(masters), AllOf(HasSubstr("role: worker"), HasSubstr("rules for: master)")));
  EXPECT_THAT(refused(kSgxOnly, "client"), HasSubstr("role: client"));
}

TEST_F(Judgement, AKindWithoutAVerifierIsRefused) {
  evidence_.set_tee_kind("tdx");
  EXPECT_THAT(refused("tee_kinds: {tdx: hardware}"), HasSubstr("kind 'tdx', which no verifier here reads"));
}

TEST_F(Judgement, EachSetOfEndorsementsIsTried) {
  sets_.insert(sets_.begin(), Endorsements());
  sets_.push_back(Endorsements());
  EXPECT_TRUE(judged(kSgxOnly).accepted());
  sets_.erase(sets_.begin() + 1);
  EXPECT_FALSE(judged(kSgxOnly).accepted());
  sets_.clear();
  EXPECT_FALSE(judged(kSgxOnly).accepted());
}

TEST_F(Judgement, WithoutASetThatFitsTheFewestReasonsAreTold) {
  auto almost = world_.endorsements();
  almost.collateral.erase("pck_crl.der");
  sets_ = {Endorsements(), almost, Endorsements()};
  const auto findings = judged(kSgxOnly);
  ASSERT_EQ(findings.reasons().size(), 1U) << findings.outcome().error().message();
  EXPECT_EQ(findings.reasons()[0].claim, "crl");
}

TEST_F(Judgement, GatewaysAreHeldAgainstTheirProgram) {
  const auto document =
      PolicyDocument::parse_text(fmt::format("roles: {{worker: {{tee_kinds: {{sgx: hardware}}}}, gateway: {{tee_kinds: "
                                             "{{sgx: hardware}}, measurements: [{}]}}}}",
                                             std::string(64, 'a')),
                                 "policy")
          .value();
  const auto gateway = [&](BytesView program) {
    auto findings = judged(kSgxOnly);
    judge_gateway(document, program, findings);
    return findings.accepted();
  };
  EXPECT_TRUE(gateway(Bytes(32, 0xAA)));
  EXPECT_FALSE(gateway(Bytes(32, 0xAB)));
  EXPECT_FALSE(gateway({}));
  auto findings = judged(kSgxOnly);
  judge_gateway(PolicyDocument::parse_text("roles: {worker: {tee_kinds: {sgx: hardware}}}", "policy").value(),
                Bytes(32, 0xAA), findings);
  EXPECT_FALSE(findings.accepted()) << "no rules for gateways";
}

TEST_F(Judgement, RulesOfAFunctionHoldBesideThoseOfTheRole) {
  const auto document =
      PolicyDocument::parse_text(
          fmt::format("{{tee_kinds: {{sgx: hardware}}, functions: [{{name: f, tee_kinds: {{sgx: "
                      "hardware}}, measurements: [{}]}}, {{name: g, tee_kinds: {{tdx: hardware}}}}]}}",
                      std::string(64, 'a')),
          "policy")
          .value();
  const auto with = [&](const std::string& function, std::optional<BytesView> program) {
    auto findings = judged(kSgxOnly);
    judge_function(document, function, program, findings);
    return findings.accepted();
  };
  const Bytes listed(32, 0xAA);
  const Bytes other(32, 0xAB);
  EXPECT_TRUE(with("f", listed));
  EXPECT_FALSE(with("f", other));
  EXPECT_TRUE(with("f", std::nullopt)) << "it serves callers only";
  EXPECT_FALSE(with("g", listed));
  EXPECT_FALSE(with("g", std::nullopt));
  EXPECT_TRUE(with("h", other)) << "nothing more is wanted of it";
}

TEST_F(Judgement, EndorsementsAreReadFromDirectories) {
  const TemporaryDirectory directory;
  const auto file = [&](const std::string& name, const std::string& content) {
    std::filesystem::create_directories((directory.path() / name).parent_path());
    EXPECT_TRUE(write_file(directory.path() / name, as_bytes(content)));
  };
  file("a/tcb_info.json", "of a");
  file("b/tcb_info.json", "of b");
  file("amd/vcek.pem", "vcek");
  const auto path = [&](const char* name) { return (directory.path() / name).string(); };
  const auto both = read_endorsements({.collateral = {path("a"), path("b")}, .certificates = path("amd")}).value();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(as_text(both[1].collateral.at("tcb_info.json")), "of b");
  EXPECT_EQ(both[0].certificates.size(), 1U);
  EXPECT_EQ(both[1].certificates.size(), 1U);
  EXPECT_EQ(read_endorsements({.collateral = {}, .certificates = path("amd")}).value().at(0).certificates.size(), 1U);
  EXPECT_EQ(read_endorsements({}).value().size(), 1U);
  EXPECT_FALSE(read_endorsements({.collateral = {path("none")}, .certificates = {}}));
  EXPECT_FALSE(read_endorsements({.collateral = {}, .certificates = path("none")}));
}

} // namespace
} // namespace tcfdl::attestation
