#include "attestation/result_token.hpp"
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
  static Outcome verify(std::vector<std::string> words) { return run_json({"attest", "verify"}, std::move(words)); }

  static Outcome run_json(const std::vector<std::string>& command, std::vector<std::string> words) {
    words.insert(words.begin(), "--json");
    words.insert(words.begin(), command.begin(), command.end());
    words.insert(words.begin(), "tcfdl");
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

class PolicyTest : public AttestVerify {
protected:
  [[nodiscard]] Outcome test(const std::string& policy, std::vector<std::string> words = {}) const {
    words.insert(words.begin(),
                 {"--policy", file("policy.yaml", as_bytes(policy)), "--type", "software", "--evidence", software()});
    return run_json({"policy", "test"}, std::move(words));
  }
  static std::string first_claim(const Outcome& outcome) {
    return outcome.json["reasons"].empty() ? "" : outcome.json["reasons"][0]["claim"].get<std::string>();
  }
};

TEST_F(PolicyTest, TellsWhatTheServiceManagerWouldSayOfARole) {
  const std::string policy = "{version: 4, roles: {master: {tee_kinds: {software: software}}, "
                             "worker: {tee_kinds: {sgx: hardware}}}}";
  const auto master = test(policy, {"--role", "master"});
  EXPECT_EQ(master.code, 0) << master.json.dump();
  EXPECT_EQ(master.json["policy"]["version"], 4);
  EXPECT_EQ(master.json["policy"]["role"], "master");
  const auto worker = test(policy, {"--role", "worker"});
  EXPECT_EQ(worker.code, 1);
  EXPECT_EQ(first_claim(worker), "tee");
  EXPECT_THAT(worker.json["reasons"][0]["wanted"].get<std::string>(), HasSubstr("tee_kinds"));
  const auto gateway = test(policy, {"--role", "gateway"});
  EXPECT_EQ(gateway.code, 1);
  EXPECT_EQ(first_claim(gateway), "role");
  EXPECT_EQ(test(policy).code, 2) << "there are no rules for everybody";
}

TEST_F(PolicyTest, HoldsFunctionsAndProgramsAgainstTheirRules) {
  const std::string policy = "{tee_kinds: {software: software}, functions: [{name: a/*, tee_kinds: {sgx: hardware}}, "
                             "{name: b, tee_kinds: {software: software}, measurements: [" +
                             std::string(64, 'b') + "]}]}";
  const auto of_b = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--function", "b"});
    return test(policy, more);
  };
  EXPECT_EQ(test(policy).code, 0);
  EXPECT_EQ(test(policy, {"--function", "c"}).code, 0);
  const auto refused = test(policy, {"--function", "a/x"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.json["policy"]["function"], "a/*");
  EXPECT_EQ(of_b({"--program", std::string(64, 'b')}).code, 0);
  EXPECT_EQ(first_claim(of_b({"--program", std::string(64, 'c')})), "program");
  EXPECT_EQ(first_claim(of_b({})), "program") << "what is not told is not admitted";
  EXPECT_EQ(of_b({"--program", "x"}).code, 2);
}

TEST_F(PolicyTest, EndsWithTwoOnWrongUsage) {
  EXPECT_EQ(test("nonsense: 1").code, 2);
  EXPECT_EQ(test("tee_kinds: {software: software}", {"--role", "client"}).code, 2);
  EXPECT_EQ(run_json({"policy", "test"}, {"--type", "software", "--evidence", software()}).code, 2) << "no policy";
}

class AttestResult : public AttestVerify {
protected:
  AttestResult() {
    attestation::AttestationResult result;
    result.subject = "west/w1/proxy";
    result.issued = 1'800'000'000;
    result.expires = result.issued + 60;
    result.key = Bytes(key_.public_key().bytes().begin(), key_.public_key().bytes().end());
    result.nonce = Bytes(8, 1);
    result.assurance = "hardware";
    result.tee_kind = "sgx";
    token_ = attestation::sign_result(authority_, result);
    jwks_ = file("jwks.json", as_bytes(attestation::Jwks({authority_.public_key()}).text()));
  }
  [[nodiscard]] Outcome check(std::vector<std::string> words, const std::string& time = "2027-01-15T08:00:01Z") const {
    words.insert(words.end(), {"--time", time});
    return run_json({"attest", "result", "verify"}, std::move(words));
  }

  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  std::string token_;
  std::string jwks_;
};

TEST_F(AttestResult, IsCheckedOfflineByTheKeySet) {
  const auto outcome = check({"--jwks", jwks_, token_});
  EXPECT_EQ(outcome.code, 0) << outcome.json.dump();
  EXPECT_EQ(outcome.json["accepted"], true);
  EXPECT_EQ(outcome.json["result"]["subject"], "west/w1/proxy");
  EXPECT_EQ(outcome.json["result"]["assurance"], "hardware");
  EXPECT_EQ(check({"--jwks", jwks_, file("token", as_bytes(token_ + "\n"))}).code, 0);
  EXPECT_EQ(check({"--jwks", jwks_, token_, "--nonce", to_hex(Bytes(8, 1))}).code, 0);
}

TEST_F(AttestResult, IsRefusedWithTheReason) {
  const auto late = check({"--jwks", jwks_, token_}, "2027-01-15T08:01:00Z");
  EXPECT_EQ(late.code, 1);
  EXPECT_EQ(late.json["reasons"][0]["claim"], "exp");
  EXPECT_TRUE(late.json["result"].is_null());
  const auto nonce = check({"--jwks", jwks_, token_, "--nonce", to_hex(Bytes(8, 2))});
  EXPECT_EQ(nonce.code, 1);
  EXPECT_EQ(nonce.json["reasons"][0]["claim"], "eat_nonce");
  const auto receipt = check({"--jwks", jwks_, token_, "--receipt", file("receipt", as_bytes("no receipt"))});
  EXPECT_EQ(receipt.code, 1);
  EXPECT_EQ(receipt.json["reasons"][0]["claim"], "receipt");
  EXPECT_TRUE(receipt.json["result"].is_null());
  const auto other = file("other.json", as_bytes(attestation::Jwks({key_.public_key()}).text()));
  EXPECT_EQ(check({"--jwks", other, token_}).json["reasons"][0]["claim"], "header.kid");
  EXPECT_EQ(run_json({"attest", "result", "verify"}, {"--jwks", jwks_, token_}).code, 1) << "now it has not begun";
}

TEST_F(AttestResult, EndsWithTwoOnWrongUsage) {
  EXPECT_EQ(check({"--jwks", "/nonexistent", token_}).code, 2);
  EXPECT_EQ(check({"--jwks", jwks_, "/nonexistent"}).code, 2);
  EXPECT_EQ(check({"--jwks", file("x", as_bytes("{}")), token_}).code, 2);
  EXPECT_EQ(check({"--jwks", jwks_, token_, "--nonce", "xyz"}).code, 2);
  EXPECT_EQ(check({"--jwks", jwks_, token_, "--receipt", "/nonexistent"}).code, 2);
  EXPECT_EQ(check({token_}).code, 2);
}

} // namespace
} // namespace tcfdl::cli
