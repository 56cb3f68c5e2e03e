#include "attestation/policy_document.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

using testing::HasSubstr;

PolicyDocument document_of(const std::string& yaml) {
  auto document = PolicyDocument::parse_text(yaml, "policy.yaml");
  EXPECT_TRUE(document) << document.error().to_string();
  return document ? *std::move(document) : PolicyDocument();
}

std::string document_refusal(const std::string& yaml) {
  const auto document = PolicyDocument::parse_text(yaml, "policy.yaml");
  EXPECT_FALSE(document) << yaml;
  return document ? "" : document.error().message();
}

TEST(PolicyDocument, HasNoRulesForAnybodyByDefault) {
  for (const auto role : kPolicyRoles) EXPECT_FALSE(PolicyDocument().for_role(role)) << role;
  EXPECT_EQ(PolicyDocument().for_function("f"), nullptr);
}

TEST(PolicyDocument, RulesOfTheTopAreForEveryRoleWithoutOwnOnes) {
  const auto document = document_of("version: 7\ntee_kinds: {sgx: hardware}\nroles:\n"
                                    "  worker: {tee_kinds: {tdx: hardware}}\n");
  EXPECT_EQ(document.version, 7U);
  EXPECT_TRUE(document.for_role("master")->tee_kinds.contains("sgx"));
  EXPECT_TRUE(document.for_role("gateway")->tee_kinds.contains("sgx"));
  EXPECT_TRUE(document.for_role("worker")->tee_kinds.contains("tdx"));
  EXPECT_FALSE(document.for_role("worker")->tee_kinds.contains("sgx")) << "nothing is inherited";
  EXPECT_FALSE(document.for_role("client")) << "no role that is attested";
}

TEST(PolicyDocument, RolesThatAreNotNamedHaveNoRules) {
  const auto document = document_of("roles: {master: {tee_kinds: {sgx: hardware}}}");
  EXPECT_EQ(document.version, 0U);
  EXPECT_TRUE(document.for_role("master"));
  EXPECT_FALSE(document.for_role("worker"));
  EXPECT_FALSE(document.for_role("gateway"));
}

TEST(PolicyDocument, MeasurementsOfGatewaysAreTheirOwn) {
  const auto flat = document_of(fmt::format("{{tee_kinds: {{sgx: hardware}}, measurements: [{}], "
                                            "gateway_measurements: [{}]}}",
                                            std::string(64, 'a'), std::string(64, 'b')));
  EXPECT_EQ(flat.for_role("gateway")->measurements, std::vector<Bytes>{Bytes(32, 0xBB)});
  EXPECT_EQ(flat.for_role("worker")->measurements, std::vector<Bytes>{Bytes(32, 0xAA)});
  EXPECT_THAT(
      document_refusal(fmt::format("roles: {{worker: {{tee_kinds: {{sgx: hardware}}, gateway_measurements: [{}]}}}}",
                                   std::string(64, 'a'))),
      HasSubstr("roles: gateway"));
}

TEST(PolicyDocument, TheClosestNameOfAFunctionCounts) {
  const auto document = document_of(R"(
tee_kinds: {software: software}
functions:
  - {name: '*', tee_kinds: {software: software}}
  - {name: plates/*, tee_kinds: {sgx: hardware}}
  - {name: plates/read, tee_kinds: {tdx: hardware}}
  - {name: plates/read*, tee_kinds: {snp: hardware}}
)");
  EXPECT_EQ(document.for_function("echo")->name, "*");
  EXPECT_EQ(document.for_function("plates/find")->name, "plates/*");
  EXPECT_EQ(document.for_function("plates/read")->name, "plates/read");
  EXPECT_EQ(document.for_function("plates/reader")->name, "plates/read*");
  EXPECT_EQ(document_of("tee_kinds: {software: software}\nfunctions: [{name: a, tee_kinds: {sgx: hardware}}]")
                .for_function("ab"),
            nullptr);
}

TEST(PolicyDocument, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(document_refusal("version: 1"), HasSubstr("no TEE kind"));
  EXPECT_THAT(document_refusal("functions: [{name: a, tee_kinds: {sgx: hardware}}]"), HasSubstr("no TEE kind"));
  EXPECT_THAT(document_refusal("version: 0\ntee_kinds: {sgx: hardware}"), HasSubstr("version"));
  EXPECT_THAT(document_refusal("version: x\ntee_kinds: {sgx: hardware}"), HasSubstr("version"));
  EXPECT_THAT(document_refusal("roles: {client: {tee_kinds: {sgx: hardware}}}"), HasSubstr("client"));
  EXPECT_THAT(document_refusal("roles: {worker: {}}"), HasSubstr("no TEE kind"));
  EXPECT_THAT(document_refusal("roles: {worker: {tee_kinds: {software: hardware}}}"), HasSubstr("never"));
  EXPECT_THAT(document_refusal("roles: {worker: {tee_kinds: {sgx: hardware}}}\nallow_debug: true"),
              HasSubstr("allow_debug"));
  const auto function = [](const std::string& entry) {
    return "tee_kinds: {sgx: hardware}\nfunctions: [" + entry + "]";
  };
  EXPECT_THAT(document_refusal(function("{name: a}")), HasSubstr("no TEE kind"));
  EXPECT_THAT(document_refusal(function("{name: 'A B', tee_kinds: {sgx: hardware}}")), HasSubstr("'A B'"));
  EXPECT_THAT(document_refusal(function("{name: 'a*b', tee_kinds: {sgx: hardware}}")), HasSubstr("'a*b'"));
  EXPECT_THAT(
      document_refusal(function("{name: a, tee_kinds: {sgx: hardware}}, {name: a, tee_kinds: {tdx: hardware}}")),
      HasSubstr("twice"));
}

TEST(PolicyDocument, WarnsForEachRole) {
  const auto warnings = document_of("roles: {worker: {tee_kinds: {software: software}}}").warnings();
  EXPECT_THAT(warnings,
              testing::ElementsAre(HasSubstr("worker: the software TEE"), HasSubstr("worker: proxies of any")));
}

} // namespace
} // namespace tcfdl::attestation
