// Evidence of real machines, each with the verdict that its publisher's README leads to. Skipped where the samples are
// not there.
#include "attestation/policy.hpp"
#include "attestation/verifiers.hpp"
#include "base/encoding.hpp"
#include "base/rfc3339.hpp"
#include "base/tests/evidence.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

using testing::IsEmpty;

struct Sample {
  const char* kind;
  const char* folder;
  const char* collateral;
  const char* time;
};

class RealEvidence : public testing::Test {
protected:
  void SetUp() override {
    TCFDL_EVIDENCE_OR_SKIP(folder);
    folder_ = folder;
  }

  /// `also`: a further folder of collateral, whose files go before.
  Findings look_at(const Sample& sample, const std::string& policy_text = {}, const char* also = nullptr) {
    wire::Evidence evidence;
    evidence.set_tee_kind(sample.kind);
    evidence.set_report(std::string(as_text(read_file(folder_ / sample.folder / "quote.bin").value())));
    Endorsements endorsements;
    if (also != nullptr) endorsements.collateral = read_collateral((folder_ / also).string()).value();
    endorsements.collateral.merge(read_collateral((folder_ / sample.collateral).string()).value());
    const auto policy =
        policy_text.empty() ? Policy::of_kind(sample.kind) : Policy::parse_text(policy_text, "policy").value();
    const Expectations open{.report_data = {}, .node = {}, .platform_key = {}, .unbound = true};
    auto findings =
        find_verifier(verifiers_, sample.kind)->verify(evidence, endorsements, open, from_rfc3339(sample.time).value());
    appraise(policy, findings);
    return findings;
  }

  static std::vector<std::string> claims_refused(const Findings& findings) {
    std::vector<std::string> claims;
    for (const auto& reason : findings.reasons()) claims.push_back(reason.claim);
    return claims;
  }

  std::filesystem::path folder_;
  Verifiers verifiers_ = all_verifiers();
};

constexpr Sample kS1{"sgx", "sgx/s1-phala-00a067110000", "sgx/s1-phala-00a067110000", "2025-07-01"};
constexpr Sample kS2{"sgx", "sgx/s2-gramine-ratls-konvera", "sgx/collateral-00606a000000-2025-08", "2025-08-25"};
constexpr Sample kS3{"sgx", "sgx/s3-occlum-debug-trustee", "sgx/collateral-00606a000000-2025-08", "2025-08-25"};
constexpr Sample kT1{"tdx", "tdx/t1-phala-v4-b0c06f000000", "tdx/t1-phala-v4-b0c06f000000", "2025-07-01"};
constexpr Sample kT2{"tdx", "tdx/t2-google-v4-50806f000000", "tdx/collateral-50806f000000-2023-06", "2023-07-01"};
constexpr Sample kT3{"tdx", "tdx/t3-debug-v4-trustee", "tdx/collateral-50806f000000-2023-06", "2023-07-01"};
constexpr Sample kT4{"tdx", "tdx/t4-v5-td15-trustee-90c06f000000", "tdx/t1-phala-v4-b0c06f000000", "2025-06-25"};

TEST_F(RealEvidence, SgxThatNeedsConfigurationPassesWhereThatIsNamed) {
  auto findings = look_at(kS1);
  EXPECT_EQ(claims_refused(findings), std::vector<std::string>{"tcb_status"});
  const auto& claims = findings.unverified_claims();
  EXPECT_EQ(claims.tcb_status, "ConfigurationAndSWHardeningNeeded");
  EXPECT_EQ(claims.advisories, (std::vector<std::string>{"INTEL-SA-00289", "INTEL-SA-00615"}));
  EXPECT_EQ(to_hex(claims.measurement), "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb");
  EXPECT_EQ(to_hex(claims.signer), "815f42f11cf64430c30bab7816ba596a1da0130c3b028b673133a66cf9a3e0e6");
  EXPECT_EQ(claims.details.at("fmspc"), "00a067110000");
  EXPECT_EQ(claims.tcb.at("pcesvn"), 13U);
  EXPECT_THAT(as_text(claims.report_data), testing::StartsWith("Hello, world!"));
  EXPECT_TRUE(
      look_at(kS1, "{tee_kinds: {sgx: hardware}, tcb_statuses: [ConfigurationAndSWHardeningNeeded]}").accepted());
}

TEST_F(RealEvidence, OutdatedSgxPassesWhereThatIsNamed) {
  const auto findings = look_at(kS2);
  EXPECT_EQ(claims_refused(findings), std::vector<std::string>{"tcb_status"});
  EXPECT_EQ(findings.unverified_claims().tcb_status, "OutOfDate");
  EXPECT_EQ(findings.unverified_claims().advisories.size(), 6U);
  EXPECT_TRUE(look_at(kS2, "{tee_kinds: {sgx: hardware}, tcb_statuses: [OutOfDate]}").accepted());
}

TEST_F(RealEvidence, DebugSgxPassesOnlyWhereDebugIsNamedToo) {
  EXPECT_EQ(claims_refused(look_at(kS3)), (std::vector<std::string>{"debug", "tcb_status"}));
  EXPECT_EQ(look_at(kS3).unverified_claims().advisories.size(), 10U);
  EXPECT_EQ(claims_refused(look_at(kS3, "{tee_kinds: {sgx: hardware}, tcb_statuses: [OutOfDate]}")),
            std::vector<std::string>{"debug"});
  EXPECT_TRUE(look_at(kS3, "{tee_kinds: {sgx: hardware}, tcb_statuses: [OutOfDate], allow_debug: true}").accepted());
}

TEST_F(RealEvidence, UpToDateTdxIsAccepted) {
  const auto findings = look_at(kT1);
  ASSERT_TRUE(findings.accepted()) << findings.outcome().error().to_string();
  EXPECT_EQ(findings.assurance(), "hardware");
  EXPECT_EQ(findings.unverified_claims().tcb_status, "UpToDate");
  EXPECT_THAT(findings.unverified_claims().advisories, IsEmpty());
  EXPECT_EQ(findings.unverified_claims().sept_ve_disable, true);
}

TEST_F(RealEvidence, TdxWithoutAMatchingLevelIsRefusedWhateverThePolicy) {
  EXPECT_EQ(claims_refused(look_at(kT2)), (std::vector<std::string>{"tcb level", "sept_ve_disable"}));
  const auto* const all = "{tee_kinds: {tdx: hardware}, require_sept_ve_disable: false, tcb_statuses: [UpToDate, "
                          "SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded, OutOfDate, "
                          "OutOfDateConfigurationNeeded], allow_debug: true}";
  EXPECT_EQ(claims_refused(look_at(kT2, all)), std::vector<std::string>{"tcb level"});
  const auto v5 = look_at(kT4, {}, "tdx/t4-v5-td15-trustee-90c06f000000");
  EXPECT_EQ(claims_refused(v5), (std::vector<std::string>{"tcb level"})) << v5.outcome().error().to_string();
  EXPECT_EQ(v5.unverified_claims().details.at("quote_version"), "5");
}

TEST_F(RealEvidence, DebugTdxIsRefusedForThatAlone) {
  EXPECT_EQ(claims_refused(look_at(kT3)), std::vector<std::string>{"debug"});
  EXPECT_EQ(look_at(kT3).unverified_claims().tcb_status, "UpToDate");
  EXPECT_TRUE(look_at(kT3, "{tee_kinds: {tdx: hardware}, allow_debug: true}").accepted());
}

TEST_F(RealEvidence, IsRefusedAtAnyOtherTime) {
  for (const auto* time : {"2018-01-01", "2025-06-18", "2025-07-20", "2026-01-01", "2040-01-01"}) {
    auto sample = kT1;
    sample.time = time;
    EXPECT_FALSE(look_at(sample).accepted()) << time;
  }
}

} // namespace
} // namespace tcfdl::attestation
