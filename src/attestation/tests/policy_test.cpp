#include "attestation/policy.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

using testing::HasSubstr;

Claims claims(std::string_view kind) {
  Claims result;
  result.tee_kind = kind;
  result.measurement = Bytes(32, 0xAB);
  result.signer = Bytes(32, 0xCD);
  if (kind == kSgx || kind == kTdx) result.tcb_status = "UpToDate";
  if (kind == kTdx) result.sept_ve_disable = true;
  if (kind == kSnp) result.vmpl = 0;
  if (kind == kSnp) result.migratable = false;
  return result;
}

/// Empty if the policy accepts these claims, else the reasons.
std::string reasons(const Policy& policy, const Claims& what) {
  Findings findings;
  findings.unverified_claims() = what;
  findings.set_verified();
  appraise(policy, findings);
  const auto outcome = findings.outcome();
  EXPECT_EQ(outcome.has_value(), findings.accepted());
  return outcome ? "" : outcome.error().message();
}

Policy policy_of(const std::string& yaml) {
  auto policy = Policy::parse_text(yaml, "policy.yaml");
  EXPECT_TRUE(policy) << policy.error().to_string();
  return policy ? *std::move(policy) : Policy();
}

std::string refusal(const std::string& yaml) {
  const auto policy = Policy::parse_text(yaml, "policy.yaml");
  EXPECT_FALSE(policy) << yaml;
  return policy ? "" : policy.error().message();
}

const Policy kAll = policy_of("tee_kinds: {sgx: hardware, tdx: hardware, snp: hardware, software: software}");

TEST(Policy, AdmitsNothingByDefault) {
  EXPECT_THAT(reasons({}, claims("software")), HasSubstr("kind 'software'"));
  EXPECT_NE(reasons({}, claims("")), "");
  EXPECT_NE(reasons(kAll, claims("")), "");
}

TEST(Policy, AdmitsGoodClaimsOfEachKind) {
  for (const auto kind : {kSoftware, kSgx, kTdx, kSnp}) {
    EXPECT_EQ(reasons(kAll, claims(kind)), "");
    EXPECT_EQ(reasons(Policy::of_kind(std::string(kind)), claims(kind)), "");
  }
  EXPECT_NE(reasons(Policy::of_kind("sgx"), claims("tdx")), "");
  EXPECT_NE(reasons(Policy::of_kind("magic"), claims("magic")), "");
}

TEST(Policy, GivesEachKindItsClass) {
  for (const auto kind : {kSoftware, kSgx, kTdx, kSnp}) {
    Findings findings;
    findings.unverified_claims() = claims(kind);
    findings.set_verified();
    appraise(kAll, findings);
    EXPECT_EQ(findings.assurance(), class_of(kind));
  }
  EXPECT_EQ(policy_of("tee_kinds: {software: software}").warnings().size(), 3U);
}

TEST(Policy, NeverGivesAKindTheClassOfAnother) {
  EXPECT_THAT(refusal("tee_kinds: {software: hardware}"), HasSubstr("never 'hardware'"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: software}"), HasSubstr("never 'software'"));
  EXPECT_THAT(refusal("tee_kinds: {magic: hardware}"), HasSubstr("'magic'"));
}

TEST(Policy, RefusesEmptyUnknownAndMalformedEntries) {
  EXPECT_THAT(refusal("allow_debug: false"), HasSubstr("no TEE kind"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nmeasurement: x"), HasSubstr("measurement"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nmeasurements: [abcd]"), HasSubstr("abcd"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\ntcb_statuses: [Revoked]"), HasSubstr("'Revoked'"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nminimum_tcb: {sgx: {svn: -1}}"), HasSubstr("'-1'"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nminimum_tcb: {xyz: {svn: 1}}"), HasSubstr("xyz"));
  EXPECT_THAT(refusal("tee_kinds: {sgx: hardware}\nhighest_vmpl: 4"), HasSubstr("highest_vmpl"));
}

TEST(Policy, HoldsMeasurementsAndSignersAgainstItsLists) {
  const auto listed = std::string(64, 'a');
  const auto policy =
      policy_of(fmt::format("tee_kinds: {{sgx: hardware}}\nmeasurements: [{0}]\ngateway_measurements: [{0}]\n"
                            "signers: [{1}]",
                            listed, std::string(64, 'c')));
  EXPECT_THAT(reasons(policy, claims("sgx")), HasSubstr("measurement: abababab"));
  EXPECT_THAT(reasons(policy, claims("sgx")), HasSubstr("signer: cdcdcdcd"));
  auto good = claims("sgx");
  good.measurement = Bytes(32, 0xAA);
  good.signer = Bytes(32, 0xCC);
  EXPECT_EQ(reasons(policy, good), "");
  EXPECT_TRUE(policy.warnings().empty());
}

TEST(Policy, HoldsMeasurementsAgainstTheProgramWhereThatIsJudged) {
  const auto policy =
      policy_of(fmt::format("{{tee_kinds: {{sgx: hardware}}, measurements: [{}]}}", std::string(64, 'a')));
  const auto program = [&](BytesView measurement) {
    Findings findings;
    findings.unverified_claims() = claims("sgx"); // of another measurement
    findings.set_verified();
    appraise_program(policy, measurement, findings);
    const auto outcome = findings.outcome();
    return outcome ? "" : outcome.error().message();
  };
  EXPECT_EQ(program(Bytes(32, 0xAA)), "");
  EXPECT_THAT(program(Bytes(32, 0xAB)), HasSubstr("program: abab"));
  EXPECT_THAT(program({}), HasSubstr("program: none"));
  Findings platform;
  platform.unverified_claims() = claims("sgx");
  platform.set_verified();
  appraise_platform(policy, platform);
  EXPECT_TRUE(platform.accepted());
  appraise_platform(Policy::of_kind("tdx"), platform);
  EXPECT_FALSE(platform.accepted());
}

TEST(Policy, RefusesDebugAndMissingMeasurements) {
  auto debug = claims("sgx");
  debug.debug = true;
  EXPECT_EQ(reasons(kAll, debug), "debug: true (wanted: false)");
  EXPECT_EQ(reasons(policy_of("{tee_kinds: {sgx: hardware}, allow_debug: true}"), debug), "");
  auto empty = claims("sgx");
  empty.measurement.clear();
  EXPECT_THAT(reasons(kAll, empty), HasSubstr("measurement: none"));
}

TEST(Policy, AdmitsOnlyTheTcbStatusesThatItNames) {
  auto what = claims("sgx");
  const auto open = policy_of("tee_kinds: {sgx: hardware}\ntcb_statuses: [OutOfDate]");
  for (const auto* status : {"ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
                             "OutOfDateConfigurationNeeded", "Revoked", "Anything", ""}) {
    what.tcb_status = status;
    EXPECT_THAT(reasons(kAll, what), HasSubstr("tcb_status")) << status;
    EXPECT_EQ(reasons(open, what).empty(), std::string_view(status) == "OutOfDate") << status;
  }
  what.tcb_status = "SWHardeningNeeded";
  EXPECT_EQ(reasons(kAll, what), "");
  auto built = kAll;
  built.tcb_statuses = {"Revoked"};
  what.tcb_status = "Revoked";
  EXPECT_NE(reasons(built, what), "") << "Revoked never passes";
}

TEST(Policy, HoldsNumbersAgainstItsMinimum) {
  const auto policy =
      policy_of("tee_kinds: {snp: hardware, sgx: hardware}\nminimum_tcb: {snp: {svn: 2, microcode: 5}}");
  auto what = claims("snp");
  EXPECT_THAT(reasons(policy, what), HasSubstr("tcb.microcode: none (wanted: 5 or more)"));
  what.tcb["microcode"] = 5;
  what.svn = 1;
  EXPECT_EQ(reasons(policy, what), "tcb.svn: 1 (wanted: 2 or more)");
  what.svn = 2;
  EXPECT_EQ(reasons(policy, what), "");
  what.tcb["microcode"] = 4;
  EXPECT_THAT(reasons(policy, what), HasSubstr("tcb.microcode: 4"));
  EXPECT_EQ(reasons(policy, claims("sgx")), "") << "the minimum of another kind";
}

TEST(Policy, HoldsDetailsAgainstRequiredValues) {
  const auto policy = policy_of("tee_kinds: {tdx: hardware}\nrequired_details: {rtmr1: abcd}");
  auto what = claims("tdx");
  EXPECT_EQ(reasons(policy, what), "rtmr1: none (wanted: abcd)");
  what.details["rtmr1"] = "abce";
  EXPECT_EQ(reasons(policy, what), "rtmr1: abce (wanted: abcd)");
  what.details["rtmr1"] = "abcd";
  EXPECT_EQ(reasons(policy, what), "");
}

TEST(Policy, WantsRevocationListsUnlessItAllowsTheirAbsence) {
  auto what = claims("sgx");
  what.missing_crls = {"Root"};
  EXPECT_THAT(reasons(kAll, what), HasSubstr("the revocation list of 'Root' is missing"));
  EXPECT_EQ(reasons(policy_of("{tee_kinds: {sgx: hardware}, allow_missing_crl: true}"), what), "");
}

TEST(Policy, WantsSeptVeDisable) {
  auto what = claims("tdx");
  what.sept_ve_disable = false;
  EXPECT_THAT(reasons(kAll, what), HasSubstr("sept_ve_disable: false"));
  EXPECT_EQ(reasons(policy_of("{tee_kinds: {tdx: hardware}, require_sept_ve_disable: false}"), what), "");
  what.sept_ve_disable.reset();
  EXPECT_THAT(reasons(kAll, what), HasSubstr("sept_ve_disable"));
}

TEST(Policy, BoundsTheVmplAndRefusesMigration) {
  auto what = claims("snp");
  what.vmpl = 2;
  EXPECT_EQ(reasons(kAll, what), "");
  EXPECT_EQ(reasons(policy_of("{tee_kinds: {snp: hardware}, highest_vmpl: 1}"), what), "vmpl: 2 (wanted: 1 or less)");
  what.vmpl.reset();
  EXPECT_THAT(reasons(kAll, what), HasSubstr("vmpl: none"));
  what = claims("snp");
  what.migratable = true;
  EXPECT_EQ(reasons(kAll, what), "migratable: true (wanted: false)");
  EXPECT_EQ(reasons(policy_of("{tee_kinds: {snp: hardware}, allow_migration: true}"), what), "");
}

TEST(Policy, HardwareMeetsSoftwareAndNotTheOtherWay) {
  EXPECT_TRUE(meets("hardware", "software"));
  EXPECT_TRUE(meets("software", "software"));
  EXPECT_FALSE(meets("software", "hardware"));
  EXPECT_FALSE(meets("", ""));
}

} // namespace
} // namespace tcfdl::attestation
