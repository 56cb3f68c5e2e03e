// The policy decides who enrols, both sides are told why not, and results are checked by who was not asked.
#include "attestation/jwks.hpp"
#include "support/platform.hpp"

#include <csignal>
#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class AttestedPlatform : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(platform_.up(), ""); }
  [[nodiscard]] std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  Finished result_of(const std::string& subject, const std::string& file) {
    return platform_.tcfdl({"attest", "result", "get", subject, "--out", path(file), "--nonce", "0102030405060708"});
  }
  Json verified(const std::string& file) {
    return platform_.json({"attest", "result", "verify", "--jwks", path("jwks"), path(file)});
  }
  /// Another policy from the next start on.
  void set_policy(const std::string& yaml) {
    ASSERT_EQ(platform_.down().exit_code, 0);
    ASSERT_TRUE(write_file(platform_.state() / "config" / "policy.yaml", as_bytes(yaml)));
    ASSERT_EQ(platform_.up(), "");
  }
  [[nodiscard]] std::string service_manager_log() const {
    return read_text_file(platform_.state() / "logs" / "service-manager.log", std::size_t{16} << 20U).value_or("");
  }

  TemporaryDirectory directory_;
  Platform platform_;
};

TEST_F(AttestedPlatform, ResultsOfNodesAndInstancesAreCheckedWithTheKeySetAlone) {
  ASSERT_EQ(platform_.tcfdl({"attest", "jwks", "--out", path("jwks")}).exit_code, 0);
  const auto got = result_of("worker-1", "worker");
  ASSERT_EQ(got.exit_code, 0) << got.err;
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  ASSERT_EQ(platform_.invoke("echo", "hello").out, "hello");
  const auto status = platform_.json({"status"});
  ASSERT_FALSE(status["instances"].empty()) << status.dump();
  const auto instance = status["instances"][0]["id"].get<std::string>();
  const auto instances_result = result_of(instance, "instance");
  ASSERT_EQ(instances_result.exit_code, 0) << instances_result.err;
  EXPECT_THAT(result_of("nobody", "none").err, HasSubstr("NOT_FOUND"));

  ASSERT_EQ(platform_.down().exit_code, 0);
  const auto worker = verified("worker");
  EXPECT_EQ(worker["accepted"], true) << worker.dump();
  EXPECT_EQ(worker["result"]["subject"], "local/worker-1/proxy");
  EXPECT_EQ(worker["result"]["assurance"], "software");
  EXPECT_EQ(worker["result"]["policy_version"], 1);
  EXPECT_EQ(worker["result"]["nonce"], "0102030405060708");
  const auto program = verified("instance");
  EXPECT_EQ(program["accepted"], true) << program.dump();
  EXPECT_EQ(program["result"]["function"], "echo");
  EXPECT_EQ(program["result"]["node"], "worker-1");
  EXPECT_EQ(program["result"]["tee_measurement"], worker["result"]["measurement"]);
}

TEST_F(AttestedPlatform, ANodeThatThePolicyDoesNotNameIsRefusedWithTheReasonOnBothSides) {
  ASSERT_EQ(platform_.tcfdl({"token", "create", "--role", "worker", "--out", path("token")}).exit_code, 0);
  set_policy("version: 2\nroles:\n  master: {tee_kinds: {software: software}}\n"
             "  gateway: {tee_kinds: {software: software}}\n  worker: {tee_kinds: {sgx: hardware}}\n");
  EXPECT_EQ(platform_.ready("service-manager")["policy_version"], 2);
  ASSERT_TRUE(write_file(path("worker.yaml"), as_bytes(fmt::format("node: worker-2\nstate: {}\nenrolment_token_file: "
                                                                   "{}\ntee: software\n",
                                                                   path("state"), path("token")))));
  const auto worker =
      run({Platform::binary("tcfdl"), "worker", "--config", path("worker.yaml")}, platform_.environment());
  EXPECT_NE(worker.exit_code, 0);
  const auto reason = AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("tee: kind 'software'"),
                            HasSubstr("wanted: a kind that tee_kinds of the policy names"));
  EXPECT_THAT(worker.out + worker.err, reason);
  EXPECT_THAT(service_manager_log(), AllOf(HasSubstr("refused to enrol worker-2"), reason));

  // Whoever is in already gets nothing more either.
  const auto known = result_of("worker-1", "worker");
  EXPECT_EQ(known.exit_code, 1);
  EXPECT_THAT(known.err, reason);
}

TEST(AttestedClusters, AcceptEachOtherByResultsWhileTheServiceManagerIsOutOfReach) {
  Platform platform(
      "clusters:\n  - name: vehicle\n    host_instances: false\n  - name: roadside\n    workers: [rsu-1]\n");
  ASSERT_EQ(platform.up(), "");
  const TemporaryDirectory directory;
  const auto path = [&](const std::string& name) { return (directory.path() / name).string(); };
  const auto result_of = [&](const std::string& subject, const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"attest", "result", "get", subject, "--out", path(name), "--context", "roadside"});
    return platform.tcfdl(std::move(more));
  };
  ASSERT_EQ(platform.deploy("echo", "examples-echo", "", {}, "roadside").exit_code, 0);
  const auto called = platform.invoke("echo", "hello", {"--context", "vehicle", "--receipt", path("receipt")});
  ASSERT_EQ(called.out, "hello") << called.err;
  ASSERT_EQ(platform.tcfdl({"attest", "jwks", "--out", path("jwks"), "--context", "vehicle"}).exit_code, 0);
  const auto instance = called.summary["instance"].get<std::string>();
  ASSERT_EQ(result_of(instance, "instance").exit_code, 0);
  ASSERT_EQ(result_of("rsu-1", "proxy").exit_code, 0);

  const auto service_manager = platform.ready("service-manager")["pid"].get<pid_t>();
  ::kill(service_manager, SIGSTOP);
  const auto verified = [&](const std::string& jwks, const std::string& name) {
    return Json::parse(platform
                           .tcfdl({"--json", "attest", "result", "verify", "--jwks", path(jwks), "--receipt",
                                   path("receipt"), path(name)})
                           .out,
                       nullptr, false);
  };
  const auto peer = verified("jwks", "instance");
  EXPECT_EQ(peer["accepted"], true) << peer.dump();
  EXPECT_EQ(peer["result"]["subject"], "roadside/" + instance);
  EXPECT_EQ(peer["result"]["function"], "echo");
  const auto other = verified("jwks", "proxy");
  EXPECT_EQ(other["accepted"], false) << "it is good, but not of who answered";
  EXPECT_EQ(other["reasons"][0]["claim"], "tcfdl.certificate");
  const attestation::Jwks others({crypto::SigningKey::generate().public_key()});
  ASSERT_TRUE(write_file(path("others"), as_bytes(others.text())));
  EXPECT_EQ(verified("others", "instance")["reasons"][0]["claim"], "header.kid");

  EXPECT_EQ(result_of(instance, "again").exit_code, 0) << "the master has it until it expires";
  EXPECT_EQ(read_text_file(path("again")).value(), read_text_file(path("instance")).value());
  EXPECT_EQ(result_of(instance, "fresh", {"--nonce", "0102030405060708"}).exit_code, 1) << "nobody can judge now";
  ::kill(service_manager, SIGCONT);
}

} // namespace
} // namespace tcfdl::test
