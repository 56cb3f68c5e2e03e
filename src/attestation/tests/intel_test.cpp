// Each check of SGX and TDX evidence has an entry here that breaks exactly that: one reason, with that claim.
#include "attestation/intel.hpp"

#include "attestation/policy.hpp"
#include "attestation/samples/intel_world.hpp"
#include "base/encoding.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

using test::IntelKeys;
using test::IntelWorld;
using test::kDay;
using test::kNow;
using test::QuoteParts;

struct Breakage {
  const char* what;
  unsigned version; ///< of the quote
  std::function<void(IntelWorld&)> apply;
  const char* claim;
};

void expect_refused(const std::vector<Breakage>& list) {
  for (const auto& breakage : list) {
    IntelWorld world(breakage.version);
    breakage.apply(world);
    const auto findings = world.verify();
    EXPECT_FALSE(findings.verified()) << breakage.what;
    ASSERT_EQ(findings.reasons().size(), 1U)
        << breakage.what << ": " << findings.outcome().error().message().substr(0, 1000);
    EXPECT_EQ(findings.reasons().front().claim, breakage.claim) << breakage.what;
  }
}

/// A change of the quote after it was signed.
auto damaged(std::function<void(QuoteParts&)> damage) {
  return [damage = std::move(damage)](IntelWorld& world) { world.damage = damage; };
}

auto without_file(const char* name) {
  return [name](IntelWorld& world) { world.damage_files = [name](auto& files) { files.erase(name); }; };
}

auto tcb_text(std::string old, std::string fresh) {
  return [old, fresh](IntelWorld& world) { IntelWorld::replace(world.tcb_info, old, fresh); };
}

auto qe_text(std::string old, std::string fresh) {
  return [old, fresh](IntelWorld& world) { IntelWorld::replace(world.qe_identity, old, fresh); };
}

TEST(Intel, VerifiesGoodEvidenceOfEachVersion) {
  for (const auto& [version, td15] : {std::pair(3U, false), {4U, false}, {5U, false}, {5U, true}}) {
    const IntelWorld world(version, td15);
    auto findings = world.verify();
    appraise(Policy::of_kind(version == 3 ? "sgx" : "tdx"), findings);
    ASSERT_TRUE(findings.accepted()) << version << findings.outcome().error().to_string();
    const auto& claims = findings.unverified_claims();
    EXPECT_EQ(claims.measurement, Bytes(version == 3 ? 32 : 48, 0x11));
    EXPECT_EQ(claims.report_data, Bytes(64, 0x33));
    EXPECT_EQ(claims.tcb_status, "UpToDate");
    EXPECT_EQ(claims.tcb.at("tcb_evaluation_data_number"), 16U);
    EXPECT_EQ(claims.tcb.at("pcesvn"), 13U);
    EXPECT_EQ(claims.tcb.at("qe_svn"), 8U);
    EXPECT_EQ(claims.details.at("fmspc"), "00906ed50000");
    EXPECT_EQ(claims.details.contains("mr_service_td"), td15);
  }
  const auto sgx = IntelWorld(3).verify();
  EXPECT_EQ(sgx.unverified_claims().signer, Bytes(32, 0x22));
  EXPECT_EQ(sgx.unverified_claims().svn, 3U);
  EXPECT_EQ(sgx.unverified_claims().details.at("isv_prod_id"), "9");
}

TEST(Intel, IsNotAcceptedUnderAnotherRoot) {
  const IntelWorld world(3);
  const Expectations expected{.report_data = Bytes(64, 0x33), .node = {}, .platform_key = {}};
  const auto findings = IntelVerifier(kSgx).verify(world.evidence(), world.endorsements(), expected, kNow);
  ASSERT_EQ(findings.reasons().size(), 1U);
  EXPECT_EQ(findings.reasons().front().claim, "pck chain");
}

TEST(Intel, ClaimsDebugAndSeptVeDisableForThePolicy) {
  IntelWorld sgx(3);
  sgx.body[48] |= 0x02;
  EXPECT_TRUE(sgx.verify().unverified_claims().debug);
  IntelWorld tdx(4);
  tdx.body[120] |= 0x01;
  tdx.body[123] = 0;
  auto findings = tdx.verify();
  EXPECT_TRUE(findings.verified());
  appraise(Policy::of_kind("tdx"), findings);
  ASSERT_EQ(findings.reasons().size(), 2U);
  EXPECT_EQ(findings.reasons()[0].claim, "debug");
  EXPECT_EQ(findings.reasons()[1].claim, "sept_ve_disable");
}

TEST(Intel, RefusesForeignSignaturesAndBindings) {
  for (const auto version : {3U, 4U, 5U}) {
    expect_refused({
        {"a byte of the body", version, damaged([](auto& parts) { parts.body[200] ^= 1; }), "quote signature"},
        {"a byte of the header", version, damaged([](auto& parts) { parts.header[30] ^= 1; }), "quote signature"},
        {"the signature", version, damaged([](auto& parts) { parts.signature[5] ^= 1; }), "quote signature"},
        {"the authentication data", version, damaged([](auto& parts) { parts.authentication_data[0] ^= 1; }),
         "attestation key"},
        {"an unbound key", version, [](auto& world) { world.bind_key = false; }, "attestation key"},
        {"the second half of the binding", version, [](auto& world) { world.qe_report[383] = 1; }, "attestation key"},
        {"the QE report", version, damaged([](auto& parts) { parts.qe_report[30] ^= 1; }), "QE report signature"},
        {"other report data", version, [version](auto& world) { world.body[version == 3 ? 321 : 521] ^= 1; },
         "report_data"},
    });
  }
}

TEST(Intel, RefusesAKeyThatTheQuotingEnclaveDoesNotVouchFor) {
  IntelWorld world(3);
  world.damage = [](QuoteParts& parts) {
    const auto& stranger = IntelKeys::get().stranger;
    auto text = parts.header;
    text.insert(text.end(), parts.body.begin(), parts.body.end());
    parts.signature = stranger.sign(text);
    const auto point = stranger.point();
    parts.attestation_key.assign(point.begin() + 1, point.end());
  };
  const auto findings = world.verify();
  ASSERT_EQ(findings.reasons().size(), 1U);
  EXPECT_EQ(findings.reasons().front().claim, "attestation key");
}

TEST(Intel, RefusesBadPckChains) {
  expect_refused({
      {"expired", 3, [](auto& world) { world.pck_text.not_after = kNow - 1; }, "pck chain"},
      {"not yet valid", 4, [](auto& world) { world.pck_text.not_before = kNow + 1; }, "pck chain"},
      {"an expired CA", 3, [](auto& world) { world.ca_text.not_after = kNow - 1; }, "pck chain"},
      {"a CA that is none", 3, [](auto& world) { world.ca_text.ca = false; }, "pck chain"},
      {"another leaf", 3, [](auto& world) { world.pck_text.subject = "Intel SGX TCB Signing"; }, "pck chain"},
      {"another CA", 3,
       [](auto& world) {
         world.ca_text.subject = "Intel SGX Something CA";
         world.pck_text.issuer = "Intel SGX Something CA";
       },
       "pck chain"},
      {"a missing CA", 3,
       damaged([](auto& parts) { parts.certificates.resize(parts.certificates.find("-----END") + 26); }), "pck chain"},
      {"no chain", 3, damaged([](auto& parts) { parts.certificates = "none"; }), "pck chain"},
      {"a malformed extension", 3, [](auto& world) { world.pck.fmspc.pop_back(); }, "pck certificate"},
  });
}

TEST(Intel, TakesCertificatesInAnyOrderAndIgnoresWhatFollowsTheQuote) {
  IntelWorld world(4);
  world.damage = [](QuoteParts& parts) {
    const auto second = parts.certificates.find("-----BEGIN", 10);
    parts.certificates =
        parts.certificates.substr(second) + parts.certificates.substr(0, second) + std::string(1, '\0');
    parts.trailing = to_bytes("trailing text");
  };
  EXPECT_TRUE(world.verify().verified()) << world.verify().outcome().error().message();
}

TEST(Intel, RefusesRevokedCertificatesAndBadLists) {
  expect_refused({
      {"a revoked PCK", 3, [](auto& world) { world.pck_crl_text.serials = {3}; }, "revocation"},
      {"a revoked CA", 4, [](auto& world) { world.root_crl_text.serials = {2}; }, "revocation"},
      {"a revoked signer", 3, [](auto& world) { world.root_crl_text.serials = {4}; }, "revocation"},
      {"an old list", 3, [](auto& world) { world.pck_crl_text.next_update = kNow - 1; }, "pck_crl.der dates"},
      {"an old list of the root", 3, [](auto& world) { world.root_crl_text.next_update = kNow - 1; },
       "root_ca_crl.der dates"},
      {"a list of the future", 3, [](auto& world) { world.pck_crl_text.this_update = kNow + 1; }, "pck_crl.der dates"},
      {"a list of another issuer", 3, [](auto& world) { world.pck_crl_text.issuer = "Intel SGX PCK Processor CA"; },
       "pck_crl.der"},
      {"a list of another key", 3,
       [](auto& world) {
         world.damage_files = [text = world.pck_crl_text](auto& files) {
           files["pck_crl.der"] = make_crl(text, IntelKeys::get().stranger);
         };
       },
       "pck_crl.der"},
      {"no list", 3, [](auto& world) { world.damage_files = [](auto& files) { files["pck_crl.der"] = {1, 2}; }; },
       "pck_crl.der"},
  });
}

TEST(Intel, LeavesMissingListsToThePolicy) {
  IntelWorld world(3);
  world.damage_files = [](auto& files) {
    files.erase("pck_crl.der");
    files.erase("root_ca_crl.der");
  };
  auto findings = world.verify();
  EXPECT_TRUE(findings.verified());
  EXPECT_THAT(findings.unverified_claims().missing_crls,
              testing::ElementsAre("Intel SGX PCK Platform CA", "Intel SGX Root CA"));
  appraise(Policy::of_kind("sgx"), findings);
  EXPECT_EQ(findings.reasons().size(), 2U);
}

TEST(Intel, RefusesCollateralThatIsMissingForeignOrOutOfDate) {
  const auto stranger = [](const char* file) {
    return [file](IntelWorld& world) {
      world.damage_files = [file](auto& files) {
        auto& text = files.at(file);
        text[text.size() - 5] = text[text.size() - 5] == '0' ? '1' : '0';
      };
    };
  };
  expect_refused({
      {"no TCB info", 3, without_file("tcb_info.json"), "tcb_info.json"},
      {"no QE identity", 4, without_file("qe_identity.json"), "qe_identity.json"},
      {"a signature of TCB info", 3, stranger("tcb_info.json"), "tcb_info.json signature"},
      {"a signature of QE identity", 4, stranger("qe_identity.json"), "qe_identity.json signature"},
      {"a byte of TCB info", 3,
       [](auto& world) {
         world.damage_files = [](auto& files) {
           std::string text(as_text(files.at("tcb_info.json")));
           IntelWorld::replace(text, "\"tcbType\":0", "\"tcbType\": 0");
           files["tcb_info.json"] = to_bytes(text);
         };
       },
       "tcb_info.json signature"},
      {"a form", 3, [](auto& world) { world.damage_files = [](auto& files) { files["tcb_info.json"] = {'{', '}'}; }; },
       "tcb_info.json"},
      {"a key of TCB info", 3, tcb_text("\"pceId\"", "\"pceXX\""), "tcb_info.json"},
      {"a key of QE identity", 3, qe_text("\"isvprodid\"", "\"isvother\""), "qe_identity.json"},
  });
  for (const auto* text : {"issueDate", "nextUpdate"}) {
    const auto year = std::string_view(text) == "issueDate" ? "2031" : "2019";
    const auto old = fmt::format("\"{}\":\"2025", text);
    const auto fresh = fmt::format("\"{}\":\"{}", text, year);
    expect_refused({{text, 3, tcb_text(old, fresh), "tcb_info.json dates"},
                    {text, 4, qe_text(old, fresh), "qe_identity.json dates"}});
  }
}

TEST(Intel, RefusesOtherSignersOfCollateral) {
  const auto chain_of = [](auto make) {
    return [make](IntelWorld& world) {
      const auto copy = world;
      world.damage_files = [copy, make](auto& files) { files["tcb_info_issuer_chain.pem"] = to_bytes(make(copy)); };
    };
  };
  const auto pem = [](const crypto::test::CertificateText& text, const crypto::test::Key& key,
                      const crypto::test::Key& issuer) {
    return crypto::test::to_pem(make_certificate(text, key, issuer));
  };
  const auto& keys = IntelKeys::get();
  expect_refused({
      {"an expired signer", 3, chain_of([&](auto world) {
         world.signer_text.not_after = kNow - 1;
         return pem(world.signer_text, keys.signer, keys.root) + pem(world.root_text, keys.root, keys.root);
       }),
       "tcb_info_issuer_chain.pem"},
      {"a signer of another root", 3, chain_of([&](auto world) {
         return pem(world.signer_text, keys.signer, keys.stranger) + pem(world.root_text, keys.stranger, keys.stranger);
       }),
       "tcb_info_issuer_chain.pem"},
      {"a signer below a CA", 3, chain_of([&](auto world) {
         world.signer_text.issuer = world.ca_text.subject;
         return pem(world.signer_text, keys.signer, keys.ca) + pem(world.ca_text, keys.ca, keys.root) +
                pem(world.root_text, keys.root, keys.root);
       }),
       "tcb_info_issuer_chain.pem"},
      {"a PCK certificate", 3, chain_of([&](auto world) {
         world.signer_text.subject = "Intel SGX PCK Certificate";
         return pem(world.signer_text, keys.signer, keys.root) + pem(world.root_text, keys.root, keys.root);
       }),
       "tcb_info_issuer_chain.pem"},
  });
}

TEST(Intel, RefusesTcbInfoOfAnotherPlatformAndUnmatchedLevels) {
  expect_refused({
      {"another FMSPC", 3, [](auto& world) { world.pck.fmspc[0] = 1; }, "fmspc"},
      {"another PCEID", 4, [](auto& world) { world.pck.pceid[0] = 1; }, "pceid"},
      {"TCB info of TDX", 3, [](auto& world) { world.tcb_info = IntelWorld(4).tcb_info; }, "tcb_info id"},
      {"a low component", 3, [](auto& world) { world.pck.components[15] = 0; }, "tcb level"},
      {"a low PCESVN", 4, [](auto& world) { world.pck.pcesvn = 4; }, "tcb level"},
      {"a low TDX component", 4, [](auto& world) { world.body[2] = 0; }, "tcb level"},
      {"a revoked level", 3, [](auto& world) { world.pck.pcesvn = 10; }, "tcb_status"},
      {"a revoked level of TDX", 5, [](auto& world) { world.body[15] = 2; }, "tcb_status"},
  });
}

TEST(Intel, RefusesOtherTdxModules) {
  expect_refused({
      {"a signer", 4, [](auto& world) { world.body[64] = 1; }, "mr_signer_seam"},
      {"attributes", 4, [](auto& world) { world.body[112] = 1; }, "seam_attributes"},
      {"an unknown version", 4, [](auto& world) { world.body[1] = 2; }, "tdx module"},
      {"an old module", 5, [](auto& world) { world.body[0] = 1; }, "tdx module level"},
  });
}

TEST(Intel, RefusesOtherQuotingEnclaves) {
  for (const auto version : {3U, 4U}) {
    expect_refused({
        {"MRSIGNER", version, [](auto& world) { world.qe_report[128] ^= 1; }, "QE MRSIGNER"},
        {"ISVPRODID", version, [](auto& world) { world.qe_report[256] ^= 4; }, "QE ISVPRODID"},
        {"MISCSELECT", version, [](auto& world) { world.qe_report[16] = 1; }, "QE MISCSELECT"},
        {"DEBUG", version, [](auto& world) { world.qe_report[48] |= 2; }, "QE ATTRIBUTES"},
        {"ISVSVN", version, [](auto& world) { world.qe_report[258] = 5; }, "QE level"},
        {"the other kind", version,
         version == 3 ? qe_text("\"id\":\"QE\"", "\"id\":\"TD_QE\"") : qe_text("\"id\":\"TD_QE\"", "\"id\":\"QE\""),
         "qe_identity id"},
    });
  }
}

TEST(Intel, TakesTheWorstStatusAndAllAdvisories) {
  IntelWorld world(4);
  world.pck.pcesvn = 11;
  world.body[0] = 3;
  world.qe_report[258] = 7;
  const auto findings = world.verify();
  EXPECT_TRUE(findings.verified()) << findings.outcome().error().message();
  EXPECT_EQ(findings.unverified_claims().tcb_status, "OutOfDate");
  EXPECT_THAT(findings.unverified_claims().advisories, testing::ElementsAre("SA-P", "SA-M", "SA-Q"));
}

TEST(Intel, ComparesTheFirstComponentsOnlyForModulesOfVersionZero) {
  IntelWorld world(4);
  world.body[1] = 0;
  EXPECT_EQ(world.verify().reasons().front().claim, "tcb level") << "component 1 counts for version 0";
  IntelWorld later(4);
  EXPECT_TRUE(later.verify().verified()) << "component 1 is 1, the level has 5";
}

TEST(Intel, RefusesOtherKindsOfQuotes) {
  const auto claim = [](unsigned version, std::string_view verifier, const char* said) {
    const IntelWorld world(version);
    auto evidence = world.evidence();
    evidence.set_tee_kind(said);
    const auto findings =
        IntelVerifier(verifier, IntelKeys::get().root.point()).verify(evidence, world.endorsements(), {}, kNow);
    return findings.reasons().empty() ? "" : findings.reasons().front().claim;
  };
  EXPECT_EQ(claim(3, kTdx, "tdx"), "quote");
  EXPECT_EQ(claim(4, kSgx, "sgx"), "quote");
  EXPECT_EQ(claim(3, kSgx, "tdx"), "tee");
  EXPECT_EQ(claim(3, kSgx, "sgx"), "report_data") << "nothing was expected";
}

} // namespace
} // namespace tcfdl::attestation
