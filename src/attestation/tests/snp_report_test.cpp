#include "attestation/snp_report.hpp"

#include "attestation/samples/snp_fixture.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

using test::SnpReportBytes;

template <std::size_t N> std::array<std::uint8_t, N> filled(std::uint8_t value) {
  std::array<std::uint8_t, N> out{};
  out.fill(value);
  return out;
}

TEST(SnpReport, ReadsEveryFieldAtItsPlace) {
  SnpReportBytes made(5);
  made.put(0x004, std::uint32_t{0x01020304}).put(0x008, std::uint64_t{0x1000000000030203});
  made.put(0x010, filled<16>(2)).put(0x020, filled<16>(3)).put(0x030, std::uint32_t{3});
  made.put(0x038, filled<8>(4)).put(0x048, std::uint32_t{6}).put(0x050, filled<64>(5)).put(0x090, filled<48>(6));
  made.put(0x0C0, filled<32>(7)).put(0x0E0, filled<48>(8)).put(0x110, filled<48>(9)).put(0x140, filled<32>(10));
  made.put(0x160, filled<32>(11)).put(0x180, filled<8>(12)).put(0x188, Bytes{0x1A, 2, 1}).put(0x1A0, filled<64>(13));
  made.put(0x1E0, filled<8>(14)).put(0x1F0, filled<8>(15)).put(0x1F8, std::uint64_t{16}).put(0x200, std::uint64_t{17});
  const auto report = parse_snp_report_unverified(made.bytes());
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->guest_svn, 0x01020304U);
  EXPECT_EQ(report->policy, 0x1000000000030203U);
  EXPECT_EQ(report->family_id, filled<16>(2));
  EXPECT_EQ(report->image_id, filled<16>(3));
  EXPECT_EQ(report->vmpl, 3U);
  EXPECT_EQ(report->current_tcb, filled<8>(4));
  EXPECT_EQ(report->report_data, filled<64>(5));
  EXPECT_EQ(report->measurement, filled<48>(6));
  EXPECT_EQ(report->host_data, filled<32>(7));
  EXPECT_EQ(report->id_key_digest, filled<48>(8));
  EXPECT_EQ(report->author_key_digest, filled<48>(9));
  EXPECT_EQ(report->report_id, filled<32>(10));
  EXPECT_EQ(report->report_id_ma, filled<32>(11));
  EXPECT_EQ(report->reported_tcb, filled<8>(12));
  ASSERT_TRUE(report->cpuid);
  EXPECT_EQ(report->cpuid->family, 0x1A);
  EXPECT_EQ(report->cpuid->model, 2);
  EXPECT_EQ(report->cpuid->stepping, 1);
  EXPECT_EQ(report->chip_id, filled<64>(13));
  EXPECT_EQ(report->committed_tcb, filled<8>(14));
  EXPECT_EQ(report->launch_tcb, filled<8>(15));
  EXPECT_EQ(report->launch_mitigations, 16U);
  EXPECT_EQ(report->current_mitigations, 17U);
  EXPECT_EQ(report->signer(), SnpSigner::kVlek);
  EXPECT_TRUE(report->signature_masked());
}

TEST(SnpReport, HasFieldsOfLaterVersionsOnlyThere) {
  const auto two = parse_snp_report_unverified(SnpReportBytes(2).put(0x188, Bytes{0x19, 1, 1}).bytes());
  ASSERT_TRUE(two);
  EXPECT_FALSE(two->cpuid);
  EXPECT_FALSE(two->launch_mitigations);
  const auto four = parse_snp_report_unverified(SnpReportBytes(4).bytes());
  ASSERT_TRUE(four);
  EXPECT_TRUE(four->cpuid);
  EXPECT_FALSE(four->current_mitigations);
}

TEST(SnpReport, TurnsTheSignatureToBigEndian) {
  Bytes r_and_s(96);
  for (std::size_t i = 0; i < r_and_s.size(); ++i) r_and_s[i] = static_cast<std::uint8_t>(i + 1);
  const auto report = parse_snp_report_unverified(SnpReportBytes().put_signature(r_and_s).bytes());
  ASSERT_TRUE(report);
  EXPECT_TRUE(std::ranges::equal(report->signature, r_and_s));
}

TEST(SnpReport, RefusesSignatureNumbersBeyondTheirSize) {
  for (const std::size_t at : {0x2A0UL + 48, 0x2A0UL + 71, 0x2E8UL + 48, 0x2E8UL + 71}) {
    const auto report = parse_snp_report_unverified(SnpReportBytes().put(at, Bytes{1}).bytes());
    ASSERT_FALSE(report) << at;
    EXPECT_EQ(report.error().code(), Code::kInvalidArgument);
  }
}

TEST(SnpReport, RefusesOtherSizesAndVersions) {
  auto bytes = SnpReportBytes().bytes();
  bytes.push_back(0);
  EXPECT_FALSE(parse_snp_report_unverified(bytes));
  bytes.resize(kSnpReportSize - 1);
  EXPECT_FALSE(parse_snp_report_unverified(bytes));
  EXPECT_FALSE(parse_snp_report_unverified({}));
  for (const std::uint32_t version : {0U, 1U, 6U, 0x00000300U}) {
    EXPECT_FALSE(parse_snp_report_unverified(SnpReportBytes(version).bytes())) << version;
  }
}

TEST(SnpReport, ReadsPolicyAndPlatformBits) {
  const auto with = [](std::size_t at, std::uint64_t value) {
    return *parse_snp_report_unverified(SnpReportBytes().put(at, value).bytes());
  };
  EXPECT_TRUE(with(0x008, 1U << 19U).debug());
  EXPECT_FALSE(with(0x008, ~(std::uint64_t{1} << 19U)).debug());
  EXPECT_TRUE(with(0x008, 1U << 18U).migration_agent());
  EXPECT_FALSE(with(0x008, ~(std::uint64_t{1} << 18U)).migration_agent());
  EXPECT_TRUE(with(0x008, 1U << 16U).smt_admitted());
  EXPECT_TRUE(with(0x040, 1U << 5U).alias_check_complete());
  EXPECT_FALSE(with(0x040, ~(std::uint64_t{1} << 5U)).alias_check_complete());
}

TEST(SnpReport, KnowsTwoSigningKeys) {
  const auto signer = [](std::uint32_t key_info) {
    return parse_snp_report_unverified(SnpReportBytes().put(0x048, key_info).bytes())->signer();
  };
  EXPECT_EQ(signer(3), SnpSigner::kVcek);
  EXPECT_EQ(signer(1U << 2U), SnpSigner::kVlek);
  EXPECT_EQ(signer(2U << 2U), std::nullopt);
  EXPECT_EQ(signer(7U << 2U), std::nullopt);
}

TEST(SnpReport, TurinHasItsOwnTcbLayout) {
  const SnpTcbBytes bytes{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(snp_tcb(bytes, SnpProduct::kMilan), (SnpTcb{0, 1, 2, 7, 8}));
  EXPECT_EQ(snp_tcb(bytes, SnpProduct::kGenoa), (SnpTcb{0, 1, 2, 7, 8}));
  EXPECT_EQ(snp_tcb(bytes, SnpProduct::kTurin), (SnpTcb{1, 2, 3, 4, 8}));
}

TEST(SnpReport, TcbsCompareInEveryPart) {
  const SnpTcb tcb{1, 2, 3, 4, 5};
  EXPECT_TRUE(tcb.at_least(tcb));
  EXPECT_TRUE(tcb.at_least({}));
  for (const auto& more : {SnpTcb{2, 2, 3, 4, 5}, SnpTcb{1, 3, 3, 4, 5}, SnpTcb{1, 2, 4, 4, 5}, SnpTcb{1, 2, 3, 5, 5},
                           SnpTcb{1, 2, 3, 4, 6}}) {
    EXPECT_FALSE(tcb.at_least(more)) << more.to_string();
  }
}

TEST(SnpReport, ProductsAreKnownByCpuidAndName) {
  EXPECT_EQ(snp_product_of_cpuid(0x19, 0x01), SnpProduct::kMilan);
  EXPECT_EQ(snp_product_of_cpuid(0x19, 0x11), SnpProduct::kGenoa);
  EXPECT_EQ(snp_product_of_cpuid(0x19, 0xA0), SnpProduct::kGenoa);
  EXPECT_EQ(snp_product_of_cpuid(0x1A, 0x02), SnpProduct::kTurin);
  EXPECT_EQ(snp_product_of_cpuid(0x1A, 0x20), std::nullopt);
  EXPECT_EQ(snp_product_of_cpuid(0x19, 0x20), std::nullopt);
  EXPECT_EQ(snp_product_of_cpuid(0, 0), std::nullopt);
  EXPECT_EQ(snp_product_of_name("Milan-B0"), SnpProduct::kMilan);
  EXPECT_EQ(snp_product_of_name("Turin"), SnpProduct::kTurin);
  EXPECT_EQ(snp_product_of_name("Turing"), std::nullopt);
  EXPECT_EQ(snp_product_of_name(""), std::nullopt);
}

} // namespace
} // namespace tcfdl::attestation
