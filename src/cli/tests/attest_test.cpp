#include "attestation/software.hpp"
#include "base/encoding.hpp"
#include "base/tests/evidence.hpp"
#include "cli/run.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::cli {
namespace {

using testing::HasSubstr;

struct Outcome {
  int code;
  nlohmann::json json;
};

class AttestVerify : public testing::Test {
protected:
  /// Runs `attest verify --json` with those words.
  static Outcome verify(std::vector<std::string> words) {
    words.insert(words.begin(), {"tcfdl", "attest", "verify", "--json"});
    std::vector<char*> arguments;
    arguments.reserve(words.size());
    for (auto& word : words) arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run(static_cast<int>(arguments.size()), arguments.data());
    (void)testing::internal::GetCapturedStderr();
    return {code, nlohmann::json::parse(testing::internal::GetCapturedStdout(), nullptr, false)};
  }

  [[nodiscard]] std::string file(const std::string& name, BytesView content) const {
    const auto path = directory_.path() / name;
    EXPECT_TRUE(write_file(path, content));
    return path.string();
  }

  [[nodiscard]] std::string software() const {
    return file(
        "evidence",
        as_bytes(attestation::make_software_evidence(key_, Bytes(32, 5), Bytes(64, 7), "node-a").SerializeAsString()));
  }

  TemporaryDirectory directory_;
  crypto::SigningKey key_ = crypto::SigningKey::generate();
};

TEST_F(AttestVerify, AcceptsSoftwareEvidenceBoundAsAsked) {
  const auto outcome = verify({"--type", "software", "--evidence", software(), "--report-data", to_hex(Bytes(64, 7))});
  EXPECT_EQ(outcome.code, 0) << outcome.json.dump();
  EXPECT_EQ(outcome.json["accepted"], true);
  EXPECT_EQ(outcome.json["assurance"], "software");
  EXPECT_EQ(outcome.json["reasons"], nlohmann::json::array());
  EXPECT_EQ(outcome.json["claims"]["tee"], "software");
  EXPECT_EQ(outcome.json["claims"]["measurement"], to_hex(Bytes(32, 5)));
  EXPECT_EQ(outcome.json["claims"]["node"], "node-a");
}

TEST_F(AttestVerify, RefusesWithOneAndTellsWhy) {
  auto outcome = verify({"--type", "software", "--evidence", software(), "--report-data", "07"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.json["accepted"], false);
  EXPECT_EQ(outcome.json["reasons"][0]["claim"], "report_data");
  EXPECT_THAT(outcome.json["reasons"][0]["wanted"].get<std::string>(), testing::StartsWith("0700"));
  for (const auto* type : {"software", "sgx", "tdx", "snp"}) {
    outcome = verify({"--type", type, "--evidence", file("garbage", as_bytes("garbage"))});
    EXPECT_EQ(outcome.code, 1) << type;
    EXPECT_FALSE(outcome.json["reasons"].empty()) << type;
  }
}

TEST_F(AttestVerify, HoldsThePolicyOfAFile) {
  const auto policy = [&](const std::string& yaml) { return file("policy.yaml", as_bytes(yaml)); };
  const auto code = [&](const std::string& yaml) {
    return verify({"--type", "software", "--evidence", software(), "--policy", policy(yaml)}).code;
  };
  EXPECT_EQ(code("tee_kinds: {software: software}"), 0);
  EXPECT_EQ(code("tee_kinds: {sgx: hardware}"), 1);
  EXPECT_EQ(code("{tee_kinds: {software: software}, measurements: [" + std::string(64, 'a') + "]}"), 1);
  EXPECT_EQ(code("{tee_kinds: {software: software}, signers: [" + to_hex(key_.public_key().bytes()) + "]}"), 0);
  EXPECT_EQ(code("nonsense: 1"), 2);
}

TEST_F(AttestVerify, EndsWithTwoOnWrongUsage) {
  EXPECT_EQ(verify({}).code, 2);
  EXPECT_EQ(verify({"--type", "magic", "--evidence", software()}).code, 2);
  EXPECT_EQ(verify({"--type", "sgx", "--evidence", "/nonexistent"}).code, 2);
  EXPECT_EQ(verify({"--type", "sgx", "--evidence", software(), "--collateral", "/nonexistent"}).code, 2);
  EXPECT_EQ(verify({"--type", "software", "--evidence", software(), "--time", "noon"}).code, 2);
  EXPECT_EQ(verify({"--type", "software", "--evidence", software(), "--report-data", "xyz"}).code, 2);
  EXPECT_EQ(verify({"--type", "software", "--evidence", software(), "--report-data", std::string(130, '0')}).code, 2);
}

TEST_F(AttestVerify, JudgesRealEvidenceAsOfItsTime) {
  TCFDL_EVIDENCE_OR_SKIP(folder);
  const auto tdx = (folder / "tdx/t1-phala-v4-b0c06f000000").string();
  const std::vector<std::string> words{"--type", "tdx", "--evidence", tdx + "/quote.bin", "--collateral", tdx};
  auto dated = words;
  dated.insert(dated.end(), {"--time", "2025-07-01T00:00:00Z"});
  const auto outcome = verify(dated);
  EXPECT_EQ(outcome.code, 0) << outcome.json.dump();
  EXPECT_EQ(outcome.json["claims"]["tcb_status"], "UpToDate");
  EXPECT_EQ(outcome.json["claims"]["sept_ve_disable"], true);
  EXPECT_EQ(verify(words).code, 1) << "now it is out of date";
}

} // namespace
} // namespace tcfdl::cli
