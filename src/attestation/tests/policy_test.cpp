#include "attestation/policy.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

Claims claims(const std::string& kind) {
  Claims result;
  result.tee_kind = kind;
  result.measurement = Bytes(32, 0xAB);
  return result;
}

std::string refusal(const std::string& yaml) {
  const auto policy = Policy::parse_text(yaml, "policy.yaml");
  EXPECT_FALSE(policy) << yaml;
  return policy ? "" : policy.error().message();
}

TEST(Policy, AdmitsNothingByDefault) {
  EXPECT_EQ(appraise({}, claims("software")).error().code(), Code::kPermissionDenied);
  EXPECT_FALSE(appraise({}, claims("")));
}

TEST(Policy, AdmitsSoftwareOnlyWhereItIsNamed) {
  const auto hardware = Policy::parse_text("tee_kinds: {sgx: hardware}", "p");
  ASSERT_TRUE(hardware);
  EXPECT_THAT(appraise(*hardware, claims("software")).error().message(), testing::HasSubstr("'software'"));
  EXPECT_EQ(appraise(*hardware, claims("sgx")).value(), "hardware");
  const auto software = Policy::parse_text("tee_kinds: {software: software}", "p");
  ASSERT_TRUE(software);
  EXPECT_EQ(appraise(*software, claims("software")).value(), "software");
  EXPECT_EQ(software->warnings().size(), 3U);
}

TEST(Policy, NeverGivesAKindTheClassOfAnother) {
  EXPECT_THAT(refusal("tee_kinds: {software: hardware}"), testing::HasSubstr("never 'hardware'"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: software}"), testing::HasSubstr("never 'software'"));
  EXPECT_THAT(refusal("tee_kinds: {magic: hardware}"), testing::HasSubstr("'magic'"));
}

TEST(Policy, RefusesEmptyUnknownAndMalformedEntries) {
  EXPECT_THAT(refusal("allow_debug: false"), testing::HasSubstr("no TEE kind"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nmeasurement: x"), testing::HasSubstr("measurement"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nproxy_measurements: [abcd]"), testing::HasSubstr("abcd"));
}

TEST(Policy, HoldsMeasurementsAgainstItsLists) {
  const auto listed = std::string(64, 'a');
  const auto policy = Policy::parse_text(
      fmt::format("tee_kinds: {{sgx: hardware}}\nproxy_measurements: [{0}]\ngateway_measurements: [{0}]", listed), "p");
  ASSERT_TRUE(policy) << policy.error().to_string();
  EXPECT_THAT(appraise(*policy, claims("sgx")).error().message(), testing::HasSubstr("abababab"));
  auto good = claims("sgx");
  good.measurement = Bytes(32, 0xAA);
  EXPECT_TRUE(appraise(*policy, good));
  EXPECT_TRUE(appraise_gateway(*policy, Bytes(32, 0xAA)));
  EXPECT_FALSE(appraise_gateway(*policy, Bytes(32, 0xAB)));
  EXPECT_FALSE(appraise_gateway(*policy, {}));
  EXPECT_TRUE(policy->warnings().empty());
}

TEST(Policy, RefusesDebugAndMissingMeasurements) {
  const auto policy = Policy::parse_text("tee_kinds: {sgx: hardware}", "p");
  ASSERT_TRUE(policy);
  auto debug = claims("sgx");
  debug.debug = true;
  EXPECT_FALSE(appraise(*policy, debug));
  auto empty = claims("sgx");
  empty.measurement.clear();
  EXPECT_FALSE(appraise(*policy, empty));
  auto open = *policy;
  open.allow_debug = true;
  EXPECT_TRUE(appraise(open, debug));
}

TEST(Policy, HardwareMeetsSoftwareAndNotTheOtherWay) {
  EXPECT_TRUE(meets("hardware", "software"));
  EXPECT_TRUE(meets("software", "software"));
  EXPECT_FALSE(meets("software", "hardware"));
  EXPECT_FALSE(meets("", ""));
}

} // namespace
} // namespace tcfdl::attestation
