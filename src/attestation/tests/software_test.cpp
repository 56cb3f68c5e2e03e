#include "attestation/software.hpp"

#include "attestation/report_data.hpp"
#include "wire/signed.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

class Software : public testing::Test {
protected:
  Software() {
    const auto data = report_data("proxy", Bytes(32, 1), {Bytes(65, 4)});
    expected_.report_data.assign(data.begin(), data.end());
    expected_.node = "node-a";
    expected_.platform_key.assign(platform_.public_key().bytes().begin(), platform_.public_key().bytes().end());
  }

  wire::Evidence good() { return make_software_evidence(platform_, Bytes(32, 5), expected_.report_data, "node-a"); }
  Code refusal(const wire::Evidence& evidence) {
    const auto claims = SoftwareVerifier().verify(evidence, expected_, kNow);
    EXPECT_FALSE(claims);
    return claims ? Code::kUnknown : claims.error().code();
  }

  crypto::SigningKey platform_ = crypto::SigningKey::generate();
  Expectations expected_;
};

TEST_F(Software, GoodEvidenceGivesItsClaims) {
  const auto claims = SoftwareVerifier().verify(good(), expected_, kNow);
  ASSERT_TRUE(claims) << claims.error().to_string();
  EXPECT_EQ(claims->tee_kind, "software");
  EXPECT_EQ(claims->measurement, Bytes(32, 5));
  EXPECT_EQ(claims->report_data, expected_.report_data);
  EXPECT_EQ(claims->signer, expected_.platform_key);
  EXPECT_FALSE(claims->debug);
}

TEST_F(Software, RefusesAnotherPlatformKey) {
  const auto other = crypto::SigningKey::generate();
  auto evidence = make_software_evidence(other, Bytes(32, 5), expected_.report_data, "node-a");
  EXPECT_EQ(refusal(evidence), Code::kUnauthenticated);
  evidence.set_platform_key(wire::field(expected_.platform_key));
  EXPECT_EQ(refusal(evidence), Code::kUnauthenticated) << "the named key must also have signed";
}

TEST_F(Software, RefusesOtherReportDataNodesAndMeasurementSizes) {
  auto data = expected_.report_data;
  data.back() ^= 1;
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(32, 5), data, "node-a")), Code::kPermissionDenied);
  data.pop_back();
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(32, 5), data, "node-a")), Code::kPermissionDenied);
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(32, 5), expected_.report_data, "node-b")),
            Code::kPermissionDenied);
  EXPECT_EQ(refusal(make_software_evidence(platform_, Bytes(31, 5), expected_.report_data, "node-a")),
            Code::kInvalidArgument);
}

TEST_F(Software, RefusesOtherKindsGarbageAndStatementsOfOtherTypes) {
  auto evidence = good();
  evidence.set_tee_kind("sgx");
  EXPECT_EQ(refusal(evidence), Code::kInvalidArgument);
  evidence = good();
  evidence.set_report("\xff\xff");
  EXPECT_EQ(refusal(evidence), Code::kInvalidArgument);
  wire::Lease lease;
  lease.set_lease_id("x");
  evidence.set_report(wire::sign(platform_, lease).SerializeAsString());
  EXPECT_EQ(refusal(evidence), Code::kUnauthenticated);
}

TEST_F(Software, RefusesToJudgeWithoutExpectations) {
  EXPECT_FALSE(SoftwareVerifier().verify(good(), {}, kNow));
  expected_.platform_key.clear();
  EXPECT_EQ(refusal(good()), Code::kUnauthenticated);
}

} // namespace
} // namespace tcfdl::attestation
