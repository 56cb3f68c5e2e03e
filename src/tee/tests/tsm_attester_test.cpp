#include "tee/tsm_attester.hpp"

#include "base/tests/evidence.hpp"
#include "tee/tests/pseudo_files.hpp"

#include <gtest/gtest.h>

namespace tcfdl::tee {
namespace {

using std::chrono::seconds;
using test::answer;
using test::take;

/// What the kernel says to one request.
struct Kernel {
  std::string provider = "sev_guest\n";
  std::string before = "0\n";
  std::string after = "1\n";
  std::string floor = "0\n";
  bool levels = false;
  bool refused_early = false; ///< the attester gives up before it writes
  Bytes outblob;
  Bytes auxblob = {1, 2, 3};
  Bytes inblob = {};    // taken
  Bytes privlevel = {}; // taken

  void play(const std::filesystem::path& request) {
    for (const auto* name :
         {"generation", "privlevel_floor", "privlevel", "inblob", "outblob", "auxblob", "provider"}) {
      test::make_fifo(request / name);
    }
    answer(request / "provider", provider);
    if (provider.starts_with("other")) return;
    answer(request / "generation", before);
    if (levels) answer(request / "privlevel_floor", floor);
    if (refused_early) return;
    if (levels) privlevel = take(request / "privlevel");
    inblob = take(request / "inblob");
    answer(request / "outblob", outblob);
    if (provider == "sev_guest\n") answer(request / "auxblob", auxblob);
    answer(request / "generation", after);
  }
};

struct Outcome {
  Result<wire::Evidence> evidence;
  bool removed;
};

Outcome attest(std::vector<Kernel>& kernels, BytesView report_data, std::optional<unsigned> level = {}) {
  auto next = kernels.begin();
  test::RequestTree tree(static_cast<int>(kernels.size()), [&](const auto& request) { (next++)->play(request); });
  const auto attester = TsmAttester::open({.root = tree.root(), .privilege_level = level, .patience = seconds(20)});
  auto evidence = (*attester)->attest(report_data);
  return {std::move(evidence), tree.empty()};
}

Bytes report_with(BytesView report_data, std::size_t at, std::size_t size) {
  Bytes report(size, 0x52);
  std::ranges::copy(report_data, report.begin() + static_cast<std::ptrdiff_t>(at));
  return report;
}

const Bytes kData(64, 9);

Kernel snp() { return {.outblob = report_with(kData, 0x50, 1184)}; }

TEST(Tsm, GetsAnSnpReportAndItsCertificates) {
  std::vector<Kernel> kernels{snp()};
  const auto [evidence, removed] = attest(kernels, kData);
  ASSERT_TRUE(evidence) << evidence.error().to_string();
  EXPECT_EQ(evidence->tee_kind(), "snp");
  EXPECT_EQ(evidence->report(), wire::field(kernels[0].outblob));
  EXPECT_EQ(evidence->certificates(), wire::field(kernels[0].auxblob));
  EXPECT_EQ(kernels[0].inblob, kData);
  EXPECT_TRUE(removed);
}

TEST(Tsm, AHostWithoutCertificatesIsNoError) {
  std::vector<Kernel> kernels{snp()};
  kernels[0].auxblob.clear();
  const auto outcome = attest(kernels, kData);
  ASSERT_TRUE(outcome.evidence);
  EXPECT_TRUE(outcome.evidence->certificates().empty());
}

TEST(Tsm, GetsTdxQuotesOfBothVersions) {
  for (const auto& [version, at] : {std::pair(4, 568), std::pair(5, 574)}) {
    auto quote = report_with(kData, static_cast<std::size_t>(at), 5000);
    quote[0] = static_cast<std::uint8_t>(version);
    quote[1] = 0;
    std::vector<Kernel> kernels{{.provider = "tdx_guest\n", .before = "4\n", .after = "5\n", .outblob = quote}};
    const auto [evidence, removed] = attest(kernels, kData);
    ASSERT_TRUE(evidence) << evidence.error().to_string();
    EXPECT_EQ(evidence->tee_kind(), "tdx");
    EXPECT_EQ(evidence->report(), wire::field(quote));
    EXPECT_TRUE(removed);
  }
}

TEST(Tsm, PassesRealEvidenceOn) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  const auto sample = folder / "snp/p-genoa-v3-configfs-tsm-veraison";
  Kernel kernel;
  kernel.provider = read_text_file(sample / "provider").value();
  kernel.outblob = read_file(sample / "outblob").value();
  kernel.auxblob = read_file(sample / "auxblob").value();
  std::vector<Kernel> kernels{kernel};
  const auto [evidence, removed] = attest(kernels, BytesView(kernel.outblob).subspan(0x50, 64));
  ASSERT_TRUE(evidence) << evidence.error().to_string();
  EXPECT_EQ(evidence->tee_kind(), "snp");
  EXPECT_EQ(evidence->certificates(), wire::field(kernel.auxblob));
  for (const auto* name : {"t1-phala-v4-b0c06f000000", "t4-v5-td15-trustee-90c06f000000"}) {
    const auto quote = read_file(folder / "tdx" / name / "quote.bin");
    ASSERT_TRUE(quote) << name;
    const std::size_t at = quote->front() == 5 ? 574 : 568;
    std::vector<Kernel> tdx{{.provider = "tdx_guest\n", .outblob = *quote}};
    EXPECT_TRUE(attest(tdx, BytesView(*quote).subspan(at, 64)).evidence) << name;
  }
}

TEST(Tsm, TriesAgainWhenSomebodyElseWrote) {
  std::vector<Kernel> kernels{snp(), snp(), snp()};
  kernels[0].after = "2\n";
  kernels[1].outblob = report_with(Bytes(64, 1), 0x50, 1184);
  const auto outcome = attest(kernels, kData);
  EXPECT_TRUE(outcome.evidence) << outcome.evidence.error().to_string();
  EXPECT_TRUE(outcome.removed);
}

TEST(Tsm, GivesUpWhenSomebodyElseAlwaysWrites) {
  std::vector<Kernel> kernels(5, snp());
  for (auto& kernel : kernels) kernel.after = "2\n";
  const auto outcome = attest(kernels, kData);
  ASSERT_FALSE(outcome.evidence);
  EXPECT_EQ(outcome.evidence.error().code(), Code::kAborted);
  EXPECT_TRUE(outcome.removed);
}

TEST(Tsm, StatesThePrivilegeLevelAskedForAndCountsThatWrite) {
  std::vector<Kernel> kernels{snp()};
  kernels[0].levels = true;
  kernels[0].after = "2\n";
  EXPECT_TRUE(attest(kernels, kData, 2).evidence);
  EXPECT_EQ(kernels[0].privlevel, to_bytes("2"));
}

TEST(Tsm, RefusesLevelsThatTheGuestMayNotState) {
  for (const unsigned level : {1U, 4U}) {
    std::vector<Kernel> kernels{snp()};
    kernels[0].levels = kernels[0].refused_early = true;
    kernels[0].floor = "2\n";
    const auto outcome = attest(kernels, kData, level);
    ASSERT_FALSE(outcome.evidence) << level;
    EXPECT_EQ(outcome.evidence.error().code(), Code::kFailedPrecondition);
    EXPECT_TRUE(outcome.removed);
  }
}

TEST(Tsm, RefusesUnknownProvidersNumbersAndSizes) {
  std::vector<Kernel> other{{.provider = "other_guest\n", .outblob = {}}};
  auto outcome = attest(other, kData);
  EXPECT_EQ(outcome.evidence.error().code(), Code::kFailedPrecondition);
  EXPECT_TRUE(outcome.removed);
  std::vector<Kernel> no_number{snp()};
  no_number[0].before = "soon\n";
  no_number[0].refused_early = true;
  EXPECT_EQ(attest(no_number, kData).evidence.error().code(), Code::kInternal);
  std::vector<Kernel> none;
  EXPECT_EQ(attest(none, Bytes(63)).evidence.error().code(), Code::kInvalidArgument);
}

TEST(Tsm, SaysWhatToDoWithoutTheRoot) {
  const auto attester = TsmAttester::open({.root = "/nowhere/tsm/report", .privilege_level = {}});
  ASSERT_FALSE(attester);
  EXPECT_EQ(attester.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(attester.error().message().find("configfs"), std::string::npos);
}

} // namespace
} // namespace tcfdl::tee
