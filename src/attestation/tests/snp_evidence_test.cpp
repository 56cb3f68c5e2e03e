// Reports of real machines get the verdicts that are known of them.
#include "attestation/policy.hpp"
#include "attestation/snp_verifier.hpp"
#include "base/tests/evidence.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

constexpr UnixSeconds kOctober2025 = 1'759'276'800;
constexpr UnixSeconds kMarch2026 = 1'772'323'200;

struct SnpSample {
  std::string directory;
  std::string report;
  std::string certificates;
  std::string line; ///< lower-case product
  UnixSeconds time;
  std::map<std::string, std::uint64_t> tcb;
  std::string ca = "ask";
};

std::vector<SnpSample> samples() {
  return {
      {"p-milan-vcek-microsoft",
       "report.bin",
       "vcek.pem",
       "milan",
       kMarch2026,
       {{"bootloader", 4}, {"tee", 0}, {"snp", 24}, {"microcode", 219}}},
      {"p-genoa-vcek-microsoft",
       "report.bin",
       "vcek.pem",
       "genoa",
       kMarch2026,
       {{"bootloader", 10}, {"tee", 0}, {"snp", 23}, {"microcode", 84}}},
      {"p-turin-vcek-microsoft",
       "report.bin",
       "vcek.pem",
       "turin",
       kMarch2026,
       {{"fmc", 1}, {"bootloader", 1}, {"tee", 1}, {"snp", 4}, {"microcode", 81}}},
      {"p-milan-v2-vcek-trustee",
       "report.bin",
       "vcek.der",
       "milan",
       kMarch2026,
       {{"bootloader", 3}, {"tee", 0}, {"snp", 8}, {"microcode", 115}}},
      {"p-milan-v3-vlek-trustee",
       "report.bin",
       "vlek.der",
       "milan",
       kOctober2025,
       {{"bootloader", 4}, {"tee", 0}, {"snp", 24}, {"microcode", 217}},
       "asvk"},
      {"p-genoa-v3-configfs-tsm-veraison",
       "outblob",
       "auxblob",
       "genoa",
       kMarch2026,
       {{"bootloader", 10}, {"tee", 0}, {"snp", 23}, {"microcode", 84}}},
  };
}

class SnpEvidence : public testing::Test {
protected:
  Findings verify(const std::filesystem::path& folder, const SnpSample& sample, UnixSeconds time,
                  bool with_crl = true) {
    const auto place = folder / "snp" / sample.directory;
    evidence_.set_tee_kind("snp");
    evidence_.set_report(wire::field(read_file(place / sample.report).value()));
    Endorsements given;
    given.certificates.push_back(read_file(place / sample.certificates).value());
    const auto root = [&](const std::string& name) {
      given.certificates.push_back(read_file(folder / "roots" / fmt::format("amd_{}_{}", sample.line, name)).value());
    };
    if (sample.certificates != "auxblob") root(sample.ca + ".pem");
    if (with_crl) root("crl.der");
    const auto data = to_bytes(evidence_.report().substr(0x50, 64));
    auto findings = SnpVerifier(amd_roots().value())
                        .verify(evidence_, given, {.report_data = data, .node = {}, .platform_key = {}}, time);
    appraise(Policy::of_kind("snp"), findings);
    return findings;
  }

  wire::Evidence evidence_;
};

TEST_F(SnpEvidence, EverySampleIsAcceptedInItsTime) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  for (const auto& sample : samples()) {
    const auto findings = verify(folder, sample, sample.time);
    const auto outcome = findings.outcome();
    ASSERT_TRUE(outcome) << sample.directory << ": " << outcome.error().to_string();
    EXPECT_EQ(outcome->tcb, sample.tcb) << sample.directory;
    EXPECT_FALSE(outcome->debug);
    EXPECT_EQ(outcome->migratable, false);
    EXPECT_EQ(outcome->vmpl, sample.ca == "asvk" ? 1U : 0U) << sample.directory;
  }
}

TEST_F(SnpEvidence, TheVlekHasExpiredLater) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  const auto findings = verify(folder, samples()[4], kMarch2026);
  ASSERT_EQ(findings.reasons().size(), 1U);
  EXPECT_EQ(findings.reasons().front().claim, "chain");
}

TEST_F(SnpEvidence, AMissingListIsARefusal) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  for (const auto& sample : samples()) EXPECT_FALSE(verify(folder, sample, sample.time, false).accepted());
}

TEST_F(SnpEvidence, NoByteOfAReportMayChange) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  const auto sample = samples()[0];
  ASSERT_TRUE(verify(folder, sample, sample.time).accepted());
  const auto good = evidence_.report();
  Endorsements given;
  given.certificates.push_back(read_file(folder / "snp" / sample.directory / sample.certificates).value());
  given.certificates.push_back(read_file(folder / "roots/amd_milan_ask.pem").value());
  const SnpVerifier verifier(amd_roots().value());
  for (std::size_t at = 0; at < kSnpSignedSize; at += 7) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    evidence_.set_report(bad);
    const auto data = to_bytes(bad.substr(0x50, 64));
    const auto findings =
        verifier.verify(evidence_, given, {.report_data = data, .node = {}, .platform_key = {}}, sample.time);
    EXPECT_FALSE(findings.verified()) << at;
  }
}

} // namespace
} // namespace tcfdl::attestation
