#include "attestation/software.hpp"

#include "attestation/report_data.hpp"
#include "wire/signed.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

constexpr UnixSeconds kJudgedAt = 1'800'000'000;

class Software : public testing::Test {
protected:
  Software() {
    const auto data = report_data("proxy", Bytes(32, 1), {Bytes(65, 4)});
    expected_.report_data.assign(data.begin(), data.end());
    expected_.node = "node-a";
    expected_.platform_key.assign(platform_.public_key().bytes().begin(), platform_.public_key().bytes().end());
  }

  wire::Evidence good() { return make_software_evidence(platform_, Bytes(32, 5), expected_.report_data, "node-a"); }
  [[nodiscard]] Findings look_at(const wire::Evidence& evidence) const {
    return SoftwareVerifier().verify(evidence, {}, expected_, kJudgedAt);
  }
  /// The claim of the only reason.
  [[nodiscard]] std::string refusal(const wire::Evidence& evidence) const {
    const auto findings = look_at(evidence);
    EXPECT_FALSE(findings.verified());
    EXPECT_EQ(findings.reasons().size(), 1U);
    return findings.reasons().empty() ? "" : findings.reasons().front().claim;
  }

  crypto::SigningKey platform_ = crypto::SigningKey::generate();
  Expectations expected_;
};

TEST_F(Software, GoodEvidenceGivesItsClaims) {
  const auto findings = look_at(good());
  ASSERT_TRUE(findings.verified()) << findings.outcome().error().to_string();
  const auto& claims = findings.unverified_claims();
  EXPECT_EQ(claims.tee_kind, "software");
  EXPECT_EQ(claims.measurement, Bytes(32, 5));
  EXPECT_EQ(claims.report_data, expected_.report_data);
  EXPECT_EQ(claims.signer, expected_.platform_key);
  EXPECT_EQ(claims.node, "node-a");
  EXPECT_FALSE(claims.debug);
  EXPECT_FALSE(findings.accepted()) << "nothing was appraised";
}

TEST_F(Software, RefusesAnotherPlatformKey) {
  const auto other = crypto::SigningKey::generate();
  auto evidence = make_software_evidence(other, Bytes(32, 5), expected_.report_data, "node-a");
  EXPECT_EQ(refusal(evidence), "platform key");
  evidence.set_platform_key(wire::field(expected_.platform_key));
  EXPECT_EQ(refusal(evidence), "signature") << "the named key must also have signed";
}

TEST_F(Software, RefusesOtherReportDataNodesAndMeasurementSizes) {
  auto data = expected_.report_data;
  data.back() ^= 1;
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(32, 5), data, "node-a")), "report_data");
  data.pop_back();
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(32, 5), data, "node-a")), "report_data");
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(32, 5), expected_.report_data, "node-b")), "node");
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(31, 5), expected_.report_data, "node-a")), "measurement");
}

TEST_F(Software, RefusesOtherKindsGarbageAndStatementsOfOtherTypes) {
  auto evidence = good();
  evidence.set_tee_kind("sgx");
  EXPECT_EQ(refusal(evidence), "tee");
  evidence = good();
  evidence.set_report("\xff\xff");
  EXPECT_EQ(refusal(evidence), "signature");
  wire::Lease lease;
  lease.set_lease_id("x");
  evidence.set_report(wire::sign(platform_, lease).SerializeAsString());
  EXPECT_EQ(refusal(evidence), "signature");
}

TEST_F(Software, RefusesToJudgeWithoutExpectationsUnlessUnbound) {
  EXPECT_EQ(SoftwareVerifier().verify(good(), {}, {}, kJudgedAt).reasons().size(), 3U);
  Expectations open;
  open.unbound = true;
  EXPECT_TRUE(SoftwareVerifier().verify(good(), {}, open, kJudgedAt).verified());
  open.report_data = Bytes(64, 1);
  EXPECT_FALSE(SoftwareVerifier().verify(good(), {}, open, kJudgedAt).verified())
      << "what is expected counts all the same";
  expected_.platform_key.clear();
  EXPECT_EQ(refusal(good()), "platform key");
}

} // namespace
} // namespace tcfdl::attestation
