#include "attestation/findings.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

TEST(Findings, AreNotAcceptedUntilVerifiedAndAppraised) {
  Findings findings;
  EXPECT_FALSE(findings.accepted());
  EXPECT_FALSE(findings.outcome());
  findings.set_appraised("hardware");
  EXPECT_FALSE(findings.accepted());
  EXPECT_EQ(findings.assurance(), "");
  EXPECT_THAT(findings.outcome().error().message(), testing::HasSubstr("not checked to the end"));
  findings.set_verified();
  EXPECT_TRUE(findings.accepted());
  EXPECT_EQ(findings.assurance(), "hardware");
  EXPECT_TRUE(findings.outcome());
}

TEST(Findings, AreNotAcceptedWithoutAnAppraisal) {
  Findings findings;
  findings.set_verified();
  EXPECT_FALSE(findings.accepted());
  findings.set_appraised("");
  EXPECT_FALSE(findings.accepted());
}

TEST(Findings, OneReasonIsEnoughToRefuse) {
  Findings findings;
  EXPECT_TRUE(findings.require(true, "a", "1", "2"));
  EXPECT_FALSE(findings.require(false, "debug", "true", "false"));
  EXPECT_FALSE(findings.require(Status(Error(Code::kUnauthenticated, "no fit")), "signature", "a good one"));
  findings.refuse("debug", "true", "false");
  findings.set_verified();
  findings.set_appraised("hardware");
  EXPECT_FALSE(findings.accepted());
  EXPECT_FALSE(findings.verified());
  EXPECT_EQ(findings.reasons().size(), 2U) << "the same reason is told once";
  const auto outcome = findings.outcome();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Code::kPermissionDenied);
  EXPECT_EQ(outcome.error().message(), "debug: true (wanted: false); signature: no fit (wanted: a good one)");
}

} // namespace
} // namespace tcfdl::attestation
