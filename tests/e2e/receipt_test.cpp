// Receipts: asked for with a call, verified from files alone, refused when anything of them or of the bodies changes.
#include "support/platform.hpp"

#include <gtest/gtest.h>

namespace tcfdl::test {
namespace {

constexpr const char* kReceiptTopology = R"(clusters:
  - name: vehicle
  - name: roadside
)";

class ReceiptsOfCalls : public testing::Test {
protected:
  static void SetUpTestSuite() {
    platform_ = new Platform(kReceiptTopology);
    ASSERT_EQ(platform_->up(), "");
    const auto deployed = platform_->deploy("echo", "examples-echo", "", {}, "roadside");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  static void TearDownTestSuite() {
    delete platform_;
    platform_ = nullptr;
  }
  static std::string path(const std::string& name) { return (platform_->root() / name).string(); }
  static std::string changed(const std::string& name, std::size_t at) {
    auto content = read_file(path(name)).value();
    content.at(at % content.size()) ^= 1U;
    EXPECT_TRUE(write_file(path("changed"), content));
    return path("changed");
  }
  /// Calls with a receipt; `in` and `out` of the platform's directory are the bodies.
  static Invoked call(const std::string& protection, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--protection", protection, "--receipt", path("receipt"), "--context", "vehicle"});
    return platform_->invoke("echo", "the plate is red", more);
  }
  static Finished verify(const std::string& receipt, const std::string& in, const std::string& out,
                         const std::string& context = "vehicle") {
    return platform_->tcfdl({"receipt", "verify", receipt, "--in", in, "--out", out, "--json", "--context", context});
  }
  static std::string reason(const Finished& finished) {
    EXPECT_EQ(finished.exit_code, 1) << finished.out;
    const auto document = Json::parse(finished.out, nullptr, false);
    EXPECT_EQ(document["accepted"], false);
    return document["reasons"].empty() ? "" : document["reasons"][0]["check"].get<std::string>();
  }
  static Platform* platform_;
};

Platform* ReceiptsOfCalls::platform_ = nullptr;

TEST_F(ReceiptsOfCalls, VerifyOfflineAndRefuseWhatWasChanged) {
  for (const std::string protection : {"eae", "hse"}) {
    const auto called = call(protection);
    ASSERT_EQ(called.exit_code, 0) << called.err;
    const auto good = verify(path("receipt"), path("in"), path("out"));
    ASSERT_EQ(good.exit_code, 0) << good.out << good.err;
    const auto document = Json::parse(good.out);
    const auto& receipt = document["receipt"];
    EXPECT_EQ(receipt["task_id"], called.summary["task_id"]);
    EXPECT_EQ(receipt["instance"], called.summary["instance"]);
    EXPECT_EQ(receipt["cluster"], "roadside");
    EXPECT_EQ(receipt["protection"], protection);
    EXPECT_EQ(receipt["tee_kind"], "software");
    EXPECT_EQ(receipt["assurance"], "software");
    EXPECT_EQ(receipt["policy_version"], 1) << "of the policy that `tcfdl up` writes";
    EXPECT_EQ(receipt["claimed_route"]["proven"], false);
    EXPECT_EQ(receipt["claimed_route"]["way"], protection == "hse" ? "proxies" : "relay");
    EXPECT_EQ(receipt["claimed_route"]["proxies"], called.summary["proxies"]);

    EXPECT_EQ(reason(verify(path("receipt"), changed("in", 3), path("out"))), "input");
    EXPECT_EQ(reason(verify(path("receipt"), path("in"), changed("out", 3))), "output");
    const auto size = read_file(path("receipt")).value().size();
    for (std::size_t at = 0; at < size; at += size / 12) {
      EXPECT_EQ(verify(changed("receipt", at), path("in"), path("out")).exit_code, 1) << at;
    }
  }
}

TEST_F(ReceiptsOfCalls, NeedTheAuthoritysKeyAndNoPlatform) {
  ASSERT_EQ(call("eae").exit_code, 0);
  const auto contexts = std::filesystem::path(platform_->environment().at("TCFDL_CONTEXT_DIR"));
  const auto context = Json::parse(read_text_file(contexts / "vehicle.json").value());
  const auto key = context["authority_key"].get<std::string>();
  const Environment nowhere{{"TCFDL_CONTEXT_DIR", path("nowhere")}};
  const auto tcfdl = Platform::binary("tcfdl");
  const auto given = run({tcfdl, "receipt", "verify", path("receipt"), "--authority", key}, nowhere);
  EXPECT_EQ(given.exit_code, 0) << given.out << given.err;
  EXPECT_EQ(run({tcfdl, "receipt", "verify", path("receipt")}, nowhere).exit_code, 2);
  EXPECT_EQ(run({tcfdl, "receipt", "verify", path("gone"), "--authority", key}, nowhere).exit_code, 2);
}

TEST_F(ReceiptsOfCalls, AreTheSameForARepeatAndAbsentUnlessAskedFor) {
  const std::vector<std::string> task{"--task-id", "018f0000-0000-7000-8000-0000000000bb"};
  ASSERT_EQ(call("eae", task).exit_code, 0);
  const auto first = read_file(path("receipt")).value();
  const auto again = call("eae", task);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(read_file(path("receipt")).value(), first);
  std::filesystem::remove(path("receipt"));
  ASSERT_EQ(platform_->invoke("echo", "x", {"--context", "vehicle"}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(path("receipt")));
}

} // namespace
} // namespace tcfdl::test
