#include "attestation/snp_verifier.hpp"

#include "attestation/samples/snp_world.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

using crypto::test::Key;
using test::kNow;
using test::kYear;
using test::SnpWorld;

std::string shown(const Findings& findings) {
  std::string text;
  for (const auto& reason : findings.reasons())
    text += fmt::format("[{}: {} / {}]", reason.claim, reason.value, reason.wanted);
  return text;
}

/// Whether there is exactly one reason, of that claim.
testing::AssertionResult refused_for(const Findings& findings, const std::string& claim) {
  if (!findings.verified() && findings.reasons().size() == 1 && findings.reasons().front().claim == claim) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "wanted a refusal for " << claim << ", got " << shown(findings)
                                     << (findings.verified() ? " verified" : "");
}

testing::AssertionResult refused_for(const SnpWorld& world, const std::string& claim) {
  return refused_for(world.verify(), claim);
}

TEST(SnpVerifier, VerifiesEveryProductAndKey) {
  for (const auto product : {SnpProduct::kMilan, SnpProduct::kGenoa, SnpProduct::kTurin}) {
    for (const auto signer : {SnpSigner::kVcek, SnpSigner::kVlek}) {
      const auto findings = SnpWorld(product, signer).verify();
      EXPECT_TRUE(findings.verified()) << snp_product_name(product) << shown(findings);
    }
  }
}

TEST(SnpVerifier, StatesTheReportsClaims) {
  SnpWorld world(SnpProduct::kTurin);
  world.report.put(0x008, std::uint64_t{1} << 18U | std::uint64_t{1} << 19U).put(0x030, std::uint32_t{2});
  world.report.put(0x0E0, Bytes(48, 0x1D));
  const auto findings = world.verify();
  ASSERT_TRUE(findings.verified()) << shown(findings);
  const auto& claims = findings.unverified_claims();
  EXPECT_EQ(claims.tee_kind, "snp");
  EXPECT_EQ(claims.measurement, Bytes(48, 0x4D));
  EXPECT_EQ(claims.report_data, world.report_data);
  EXPECT_EQ(claims.signer, Bytes(48, 0x1D));
  EXPECT_EQ(claims.svn, 7U);
  EXPECT_TRUE(claims.debug);
  EXPECT_EQ(claims.migratable, true);
  EXPECT_EQ(claims.vmpl, 2U);
  EXPECT_EQ(claims.tcb, (std::map<std::string, std::uint64_t>{
                            {"fmc", 1}, {"bootloader", 2}, {"tee", 3}, {"snp", 4}, {"microcode", 200}}));
  EXPECT_EQ(claims.details.at("product"), "Turin");
  EXPECT_EQ(claims.details.at("signing_key"), "VCEK");
  EXPECT_EQ(claims.details.at("alias_check_complete"), "true");
  EXPECT_TRUE(claims.missing_crls.empty());
  EXPECT_EQ(SnpWorld(SnpProduct::kMilan, SnpSigner::kVlek).verify().unverified_claims().details.at("provider"),
            "CN=provider");
}

TEST(SnpVerifier, AnAbsentAliasCheckIsAClaimAndNoRefusal) {
  SnpWorld world;
  world.report.put(0x040, std::uint64_t{5});
  const auto findings = world.verify();
  EXPECT_TRUE(findings.verified()) << shown(findings);
  EXPECT_EQ(findings.unverified_claims().details.at("alias_check_complete"), "false");
}

TEST(SnpVerifier, RefusesOtherKindsFormsAndReportData) {
  const SnpWorld world;
  auto evidence = world.evidence();
  evidence.set_tee_kind("sgx");
  EXPECT_TRUE(refused_for(world.verify(evidence, world.endorsements()), "tee"));
  evidence = world.evidence();
  evidence.mutable_report()->pop_back();
  EXPECT_TRUE(refused_for(world.verify(evidence, world.endorsements()), "report"));
  SnpWorld other;
  other.report.put(0x050, Bytes(64, 1));
  EXPECT_FALSE(other.verify().verified());
  const auto unasked = world.verifier().verify(world.evidence(), world.endorsements(), {}, kNow);
  EXPECT_FALSE(unasked.verified()) << "a challenge is demanded";
}

TEST(SnpVerifier, RefusesAChangedReport) {
  const SnpWorld world;
  for (const std::size_t at : {0x090UL, 0x0C0UL, 0x29FUL, 0x2A0UL, 0x2E8UL}) {
    auto evidence = world.evidence();
    (*evidence.mutable_report())[at] = static_cast<char>((*evidence.mutable_report())[at] ^ 1);
    EXPECT_TRUE(refused_for(world.verify(evidence, world.endorsements()), "signature")) << at;
  }
}

TEST(SnpVerifier, RefusesAnotherChipsSignature) {
  SnpWorld world;
  world.certified_key = Key::p384();
  EXPECT_TRUE(refused_for(world, "signature"));
}

TEST(SnpVerifier, RefusesOtherAlgorithmsMaskedSignaturesAndUnknownKeys) {
  SnpWorld algorithm;
  algorithm.report.put(0x034, std::uint32_t{2});
  EXPECT_TRUE(refused_for(algorithm, "signature_algorithm"));
  SnpWorld masked;
  masked.report.put(0x048, std::uint32_t{2});
  EXPECT_TRUE(refused_for(masked, "signature"));
  SnpWorld none;
  none.report.put(0x048, std::uint32_t{7U << 2U});
  EXPECT_TRUE(refused_for(none, "signing_key"));
}

TEST(SnpVerifier, TheSigningKeyFieldNamesTheCertificate) {
  SnpWorld world;
  world.report.put(0x048, std::uint32_t{4});
  EXPECT_TRUE(refused_for(world, "certificate")) << "a VCEK where a VLEK is stated";
  SnpWorld vlek(SnpProduct::kMilan, SnpSigner::kVlek);
  vlek.report.put(0x048, std::uint32_t{0});
  EXPECT_TRUE(refused_for(vlek, "certificate"));
}

TEST(SnpVerifier, ACertificateOfAnotherNameDoesNotCount) {
  SnpWorld world;
  world.leaf_name = "SEV-CEK";
  EXPECT_TRUE(refused_for(world, "certificate"));
}

TEST(SnpVerifier, RefusesReportsOfNoGuest) {
  SnpWorld world;
  world.report.put(0x030, std::uint32_t{0xFFFFFFFF});
  EXPECT_TRUE(refused_for(world, "vmpl"));
}

TEST(SnpVerifier, RefusesAnotherTcbThanTheCertificates) {
  for (const auto* number : {"3.1", "3.2", "3.3", "3.8", "3.9"}) {
    for (const int change : {-1, 1}) {
      SnpWorld world(SnpProduct::kTurin);
      world.numbers[number] = static_cast<std::uint8_t>(world.numbers[number] + change);
      EXPECT_TRUE(refused_for(world, "reported_tcb")) << number;
    }
  }
}

TEST(SnpVerifier, RefusesAnotherChipThanTheCertificates) {
  for (const auto product : {SnpProduct::kMilan, SnpProduct::kTurin}) {
    SnpWorld world(product);
    world.hardware_id->back() ^= 1;
    EXPECT_TRUE(refused_for(world, "chip_id"));
  }
  SnpWorld longer(SnpProduct::kTurin);
  longer.report.put(0x1A0 + 63, Bytes{1});
  EXPECT_TRUE(refused_for(longer, "chip_id")) << "bytes after the 8 of the id";
  SnpWorld masked;
  masked.report.put(0x1A0, Bytes(64));
  EXPECT_TRUE(refused_for(masked, "chip_id"));
}

TEST(SnpVerifier, RefusesAnotherProductThanTheCpus) {
  SnpWorld world;
  world.report.put(0x188, Bytes{0x19, 0x11, 0x01});
  EXPECT_TRUE(refused_for(world, "product"));
  SnpWorld unknown;
  unknown.report.put(0x188, Bytes{0x20, 0x00, 0x01});
  EXPECT_TRUE(refused_for(unknown, "product"));
  SnpWorld named;
  named.product_name = "Rome";
  EXPECT_TRUE(refused_for(named, "certificate"));
  SnpWorld other;
  other.product_name = "Genoa-B1";
  EXPECT_TRUE(refused_for(other, "product"));
}

TEST(SnpVerifier, TakesTheProductOfVersion2FromTheCertificate) {
  SnpWorld world;
  world.report.put(0, std::uint32_t{2}).put(0x188, Bytes(3));
  world.product_name = "Milan-B0";
  EXPECT_TRUE(world.verify().verified()) << shown(world.verify());
}

TEST(SnpVerifier, RefusesCertificatesWithoutWhatTheyMustSay) {
  SnpWorld nameless;
  nameless.product_name.clear();
  EXPECT_TRUE(refused_for(nameless, "certificate"));
  for (const auto* number : {"3.1", "3.2", "3.3", "3.8"}) {
    SnpWorld world;
    world.numbers.erase(number);
    EXPECT_TRUE(refused_for(world, "certificate")) << number;
    world.extensions = {{fmt::format("1.3.6.1.4.1.3704.1.{}", number), {0x02, 2, 1, 0}}};
    EXPECT_TRUE(refused_for(world, "certificate")) << number << " of 256";
  }
  SnpWorld chipless;
  chipless.hardware_id.reset();
  EXPECT_TRUE(refused_for(chipless, "certificate"));
  SnpWorld wrapped;
  wrapped.hardware_id->insert(wrapped.hardware_id->begin(), {0x04, 0x40});
  EXPECT_TRUE(refused_for(wrapped, "certificate")) << "the id is raw";
}

TEST(SnpVerifier, AVlekHasAProviderAndNoChip) {
  SnpWorld world(SnpProduct::kGenoa, SnpSigner::kVlek);
  world.provider.clear();
  EXPECT_TRUE(refused_for(world, "certificate"));
  SnpWorld chip(SnpProduct::kGenoa, SnpSigner::kVlek);
  chip.hardware_id = Bytes(64);
  EXPECT_TRUE(refused_for(chip, "certificate"));
}

TEST(SnpVerifier, RefusesCertificatesOutOfDate) {
  SnpWorld expired;
  expired.not_after = kNow - 1;
  EXPECT_TRUE(refused_for(expired, "chain"));
  SnpWorld early;
  early.not_before = kNow + 1;
  EXPECT_TRUE(refused_for(early, "chain"));
}

TEST(SnpVerifier, RefusesAnotherRootOfTheSameName) {
  SnpWorld world;
  world.ark_key = world.crl_key = &Key::rsa(3);
  EXPECT_TRUE(refused_for(world, "chain"));
}

TEST(SnpVerifier, RefusesTheRootOfAnotherProduct) {
  const SnpWorld world;
  const SnpVerifier verifier({{SnpProduct::kGenoa, *crypto::Certificate::parse(world.ark(Key::rsa(0)))}});
  EXPECT_TRUE(refused_for(verifier.verify(world.evidence(), world.endorsements(), world.expected(), kNow), "chain"));
}

TEST(SnpVerifier, RefusesAnIssuerOfTheOtherKind) {
  SnpWorld vlek_by_ask(SnpProduct::kMilan, SnpSigner::kVlek);
  vlek_by_ask.ca_name = "SEV-Milan";
  EXPECT_TRUE(refused_for(vlek_by_ask, "chain"));
  SnpWorld vcek_by_asvk;
  vcek_by_asvk.ca_name = "SEV-VLEK-Milan";
  EXPECT_TRUE(refused_for(vcek_by_asvk, "chain"));
}

TEST(SnpVerifier, RefusesALeafThatItsIssuerDidNotSign) {
  const SnpWorld world;
  SnpWorld forger;
  forger.ca_key = &Key::rsa(2);
  forger.signing_key = forger.certified_key = world.signing_key;
  auto given = world.endorsements();
  given.certificates[0] = forger.leaf();
  EXPECT_TRUE(refused_for(world.verify(world.evidence(), given), "chain"));
}

TEST(SnpVerifier, NamesAMissingCertificate) {
  const SnpWorld world;
  auto given = world.endorsements();
  given.certificates.erase(given.certificates.begin() + 1);
  EXPECT_TRUE(refused_for(world.verify(world.evidence(), given), "chain")) << "no ASK";
  given.certificates.clear();
  EXPECT_TRUE(refused_for(world.verify(world.evidence(), given), "certificate"));
}

TEST(SnpVerifier, NeedsNoRootAmongTheCertificates) {
  const SnpWorld world;
  auto given = world.endorsements();
  given.certificates.erase(given.certificates.begin() + 2);
  EXPECT_TRUE(world.verify(world.evidence(), given).verified());
}

TEST(SnpVerifier, RefusesARevokedCaEvenByAnOldList) {
  SnpWorld world;
  world.revoked = {world.ca_serial};
  EXPECT_TRUE(refused_for(world, "revocation"));
  world.crl_until = kNow - 1;
  EXPECT_TRUE(refused_for(world, "revocation"));
  SnpWorld other;
  other.revoked = {0x10000};
  EXPECT_TRUE(other.verify().verified()) << "another's serial";
}

TEST(SnpVerifier, RefusesListsOfAnotherTimeOrSigner) {
  SnpWorld old;
  old.crl_until = kNow - 1;
  EXPECT_TRUE(refused_for(old, "crl"));
  SnpWorld early;
  early.crl_from = kNow + 1;
  EXPECT_TRUE(refused_for(early, "crl"));
  SnpWorld forged;
  forged.crl_key = &Key::rsa(3);
  EXPECT_TRUE(refused_for(forged, "crl"));
}

TEST(SnpVerifier, ListsOfOtherProductsNeitherHelpNorHarm) {
  const SnpWorld world;
  auto given = world.endorsements();
  SnpWorld genoa(SnpProduct::kGenoa);
  genoa.revoked = {world.ca_serial};
  given.certificates.push_back(genoa.crl());
  EXPECT_TRUE(world.verify(world.evidence(), given).verified());
  given.certificates.erase(given.certificates.begin() + 3);
  EXPECT_EQ(world.verify(world.evidence(), given).unverified_claims().missing_crls,
            std::vector<std::string>{"ARK-Milan"});
}

TEST(SnpVerifier, AMissingListIsAClaimForThePolicy) {
  SnpWorld world;
  world.with_crl = false;
  const auto findings = world.verify();
  EXPECT_TRUE(findings.verified());
  EXPECT_EQ(findings.unverified_claims().missing_crls, std::vector<std::string>{"ARK-Milan"});
}

TEST(SnpVerifier, RefusesFilesThatAreNoCertificates) {
  const SnpWorld world;
  auto given = world.endorsements();
  given.certificates.push_back(to_bytes("neither PEM nor DER"));
  EXPECT_TRUE(refused_for(world.verify(world.evidence(), given), "certificates"));
}

TEST(SnpVerifier, HasNoRootsButAmdsOwn) {
  const SnpWorld world;
  const auto roots = amd_roots();
  ASSERT_TRUE(roots) << roots.error().to_string();
  EXPECT_EQ(roots->size(), 3U);
  const auto findings = SnpVerifier(*roots).verify(world.evidence(), world.endorsements(), world.expected(), kNow);
  EXPECT_TRUE(refused_for(findings, "chain"));
}

} // namespace
} // namespace tcfdl::attestation
