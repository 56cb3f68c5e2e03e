#include "tee/gramine_attester.hpp"

#include "base/tests/evidence.hpp"
#include "tee/tests/pseudo_files.hpp"

#include <gtest/gtest.h>

namespace tcfdl::tee {
namespace {

using test::answer;
using test::take;

class Gramine : public testing::Test {
protected:
  Gramine() {
    std::ofstream(root() / "attestation_type") << "dcap\n";
    test::make_fifo(root() / "user_report_data");
    test::make_fifo(root() / "quote");
  }
  [[nodiscard]] const std::filesystem::path& root() const { return directory_.path(); }

  /// Asks for evidence while a thread gives `quote`.
  Result<wire::Evidence> attest(BytesView report_data, BytesView quote) {
    auto attester = GramineAttester::open(root());
    if (!attester) return attester.error();
    std::thread enclave([&] {
      written_ = take(root() / "user_report_data");
      answer(root() / "quote", quote);
    });
    auto evidence = (*attester)->attest(report_data);
    enclave.join();
    return evidence;
  }
  static Bytes quote_with(BytesView report_data) {
    Bytes quote(600, 0x51);
    std::ranges::copy(report_data, quote.begin() + 368);
    return quote;
  }

  TemporaryDirectory directory_;
  Bytes written_;
};

TEST_F(Gramine, WritesTheReportDataAndReadsTheQuote) {
  const Bytes data(64, 7);
  const auto evidence = attest(data, quote_with(data));
  ASSERT_TRUE(evidence) << evidence.error().to_string();
  EXPECT_EQ(evidence->tee_kind(), "sgx");
  EXPECT_EQ(evidence->report(), wire::field(quote_with(data)));
  EXPECT_EQ(written_, data);
}

TEST_F(Gramine, PassesARealQuoteOn) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  const auto quote = read_file(folder / "sgx/s2-gramine-ratls-konvera/quote.bin");
  ASSERT_TRUE(quote);
  const auto evidence = attest(BytesView(*quote).subspan(368, 64), *quote);
  ASSERT_TRUE(evidence) << evidence.error().to_string();
  EXPECT_EQ(evidence->report(), wire::field(*quote));
}

TEST_F(Gramine, RefusesAQuoteThatIsBoundToOtherData) {
  const auto evidence = attest(Bytes(64, 7), quote_with(Bytes(64, 8)));
  ASSERT_FALSE(evidence);
  EXPECT_EQ(evidence.error().code(), Code::kAborted);
  EXPECT_EQ(attest(Bytes(64, 7), Bytes(100, 7)).error().code(), Code::kAborted);
}

TEST_F(Gramine, RefusesAnEmptyAndATooLongQuote) {
  EXPECT_FALSE(attest(Bytes(64, 7), {}));
  auto quote = quote_with(Bytes(64, 7));
  quote.resize(8192);
  EXPECT_TRUE(attest(Bytes(64, 7), quote));
  quote.push_back(0);
  EXPECT_EQ(attest(Bytes(64, 7), quote).error().code(), Code::kResourceExhausted);
}

TEST_F(Gramine, TakesReportDataOf64BytesOnly) {
  const auto attester = GramineAttester::open(root());
  ASSERT_TRUE(attester);
  EXPECT_EQ((*attester)->attest(Bytes(63)).error().code(), Code::kInvalidArgument);
  EXPECT_EQ((*attester)->attest(Bytes(65)).error().code(), Code::kInvalidArgument);
}

TEST_F(Gramine, SaysWhatToDoWithoutGramineOrDcap) {
  const auto missing = GramineAttester::open(root() / "none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(missing.error().message().find("gramine-sgx"), std::string::npos);
  std::ofstream(root() / "attestation_type") << "none\n";
  const auto switched_off = GramineAttester::open(root());
  ASSERT_FALSE(switched_off);
  EXPECT_EQ(switched_off.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(switched_off.error().message().find("sgx.remote_attestation"), std::string::npos);
}

} // namespace
} // namespace tcfdl::tee
