#include "tee_proxy/attesters.hpp"

#include "base/file.hpp"
#include "wire/signed.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace tcfdl::tee_proxy {
namespace {

class Attesters : public testing::Test {
protected:
  Result<std::unique_ptr<tee::Attester>> make(const std::string& tee, const std::filesystem::path& root = {}) {
    return make_attester({tee, root}, platform_, "node-1");
  }
  Code refusal(const std::string& tee, const std::filesystem::path& root = {}) {
    const auto made = make(tee, root);
    return made ? Code::kUnknown : made.error().code();
  }

  crypto::SigningKey platform_ = crypto::SigningKey::generate();
  TemporaryDirectory directory_;
};

TEST_F(Attesters, TheSoftwareTeeSignsWhatItIsGiven) {
  const auto attester = make("software");
  ASSERT_TRUE(attester);
  const auto evidence = (*attester)->attest(Bytes(64, 3));
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->tee_kind(), "software");
  const auto report =
      wire::verify<wire::SoftwareReport>(platform_.public_key(), wire::parse<wire::Signed>(evidence->report()).value());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->report_data(), wire::field(Bytes(64, 3)));
  EXPECT_EQ(report->node(), "node-1");
  EXPECT_FALSE((*attester)->attest(Bytes(63)));
  EXPECT_NE((*attester)->description().find("nothing that root"), std::string::npos);
}

TEST_F(Attesters, AMissingTeeIsAnErrorAndNoFallBack) {
  EXPECT_EQ(refusal("gramine", directory_.path() / "none"), Code::kFailedPrecondition);
  EXPECT_EQ(refusal("tsm", directory_.path() / "none"), Code::kFailedPrecondition);
  EXPECT_EQ(refusal("sgx"), Code::kInvalidArgument);
  EXPECT_EQ(refusal(""), Code::kInvalidArgument);
  EXPECT_EQ(refusal("software", directory_.path()), Code::kInvalidArgument);
}

TEST_F(Attesters, TheRootIsTheOneNamed) {
  EXPECT_TRUE(make("tsm", directory_.path()));
  EXPECT_EQ(refusal("gramine", directory_.path()), Code::kFailedPrecondition);
  std::ofstream(directory_.path() / "attestation_type") << "dcap";
  EXPECT_TRUE(make("gramine", directory_.path()));
}

} // namespace
} // namespace tcfdl::tee_proxy
