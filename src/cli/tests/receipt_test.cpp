#include "wire/receipt.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "cli/run.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::cli {
namespace {

struct ReceiptOutcome {
  int code;
  std::string out;
  nlohmann::json json;
};

class ReceiptVerify : public testing::Test {
protected:
  static ReceiptOutcome verify(std::vector<std::string> words) {
    words.insert(words.begin(), {"tcfdl", "receipt", "verify"});
    std::vector<char*> arguments;
    arguments.reserve(words.size());
    for (auto& word : words) arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run(static_cast<int>(arguments.size()), arguments.data());
    (void)testing::internal::GetCapturedStderr();
    auto out = testing::internal::GetCapturedStdout();
    auto json = nlohmann::json::parse(out, nullptr, false);
    return {code, std::move(out), std::move(json)};
  }
  [[nodiscard]] std::string file(const std::string& name, BytesView content) const {
    const auto path = directory_.path() / name;
    EXPECT_TRUE(write_file(path, content));
    return path.string();
  }
  [[nodiscard]] std::string authority() const { return to_base64url(authority_.public_key().bytes()); }

  [[nodiscard]] Bytes receipt() const {
    wire::Descriptor descriptor;
    descriptor.set_name("echo");
    descriptor.set_version(1);
    descriptor.set_owner_key(wire::field(owner_.public_key().bytes()));
    descriptor.set_measurement(std::string(32, 'm'));
    descriptor.add_tee_kinds("software");
    descriptor.add_assurance("software");
    descriptor.add_providers("*");
    descriptor.add_protections("hse");
    wire::Certificate certificate;
    certificate.set_subject("echo-1");
    certificate.set_role(wire::ROLE_INSTANCE);
    certificate.set_verify_key(wire::field(instance_.public_key().bytes()));
    certificate.set_cluster("west");
    certificate.set_node("node-1");
    certificate.set_tee_kind("software");
    certificate.set_assurance("software");
    certificate.set_policy_version(7);
    certificate.set_function("echo");
    certificate.set_measurement(descriptor.measurement());
    certificate.set_expires(SystemClock().now() + 3600);
    wire::ReceiptStatement statement;
    statement.set_task_id("018f0000-0000-7000-8000-0000000000aa");
    statement.set_function("echo");
    statement.set_version(1);
    statement.set_owner(wire::field(crypto::sha256(owner_.public_key().bytes())));
    statement.set_measurement(descriptor.measurement());
    statement.set_tee_kind("software");
    statement.set_assurance("software");
    statement.set_policy_version(7);
    statement.set_cluster("west");
    statement.set_node("node-1");
    statement.set_instance("echo-1");
    statement.set_protection("hse");
    statement.set_started_ms(SystemClock().now() * 1000);
    statement.set_finished_ms(statement.started_ms());
    statement.mutable_claimed_route()->add_proxies("node-1/proxy");
    const std::string salt(wire::kReceiptSaltSize, 's');
    wire::ReceiptHash input(wire::ReceiptBody::kInput, as_bytes(salt));
    input.update(as_bytes("in"));
    wire::ReceiptHash output(wire::ReceiptBody::kOutput, as_bytes(salt));
    output.update(as_bytes("out"));
    statement.set_input_hash(wire::field(input.finish()));
    statement.set_output_hash(wire::field(output.finish()));
    auto made =
        wire::sign_receipt(instance_, statement, wire::sign(authority_, certificate), wire::sign(owner_, descriptor));
    made.set_input_salt(salt);
    made.set_output_salt(salt);
    return wire::serialize(made);
  }

  TemporaryDirectory directory_;
  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::SigningKey instance_ = crypto::SigningKey::generate();
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
};

TEST_F(ReceiptVerify, AcceptsAndTellsWhatItSays) {
  const auto outcome = verify({"--json", file("receipt", receipt()), "--authority", authority(), "--in",
                               file("in", as_bytes("in")), "--out", file("out", as_bytes("out"))});
  ASSERT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(outcome.json["accepted"], true);
  EXPECT_EQ(outcome.json["reasons"], nlohmann::json::array());
  EXPECT_EQ(outcome.json["passed"].size(), 17U);
  EXPECT_EQ(outcome.json["receipt"]["policy_version"], 7);
  EXPECT_EQ(outcome.json["receipt"]["instance"], "echo-1");
  EXPECT_EQ(outcome.json["receipt"]["claimed_route"]["proven"], false);
  EXPECT_EQ(outcome.json["receipt"]["claimed_route"]["proxies"][0], "node-1/proxy");
}

TEST_F(ReceiptVerify, RefusesWithReasonsAndExitCodeOne) {
  const auto path = file("receipt", receipt());
  const auto other = file("other", as_bytes("other"));
  const auto outcome = verify({"--json", path, "--authority", authority(), "--in", other, "--out", other});
  ASSERT_EQ(outcome.code, 1) << outcome.out;
  EXPECT_EQ(outcome.json["accepted"], false);
  ASSERT_EQ(outcome.json["reasons"].size(), 2U);
  EXPECT_EQ(outcome.json["reasons"][0]["check"], "input");
  EXPECT_EQ(outcome.json["reasons"][1]["check"], "output");
  const auto text = verify({path, "--authority", to_base64url(owner_.public_key().bytes())});
  EXPECT_EQ(text.code, 1);
  EXPECT_NE(text.out.find("refused\n  certificate: "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("not to be relied on"), std::string::npos) << text.out;
  EXPECT_EQ(verify({other, "--authority", authority()}).code, 1) << "no receipt at all";
}

TEST_F(ReceiptVerify, ExitsWithTwoWithoutAFileOrAnAuthority) {
  ::setenv("TCFDL_CONTEXT_DIR", directory_.path().c_str(), 1);
  const auto path = file("receipt", receipt());
  EXPECT_EQ(verify({path}).code, 2) << "no context either";
  EXPECT_EQ(verify({path, "--authority", "no key"}).code, 2);
  EXPECT_EQ(verify({path, "--authority", to_base64url(Bytes(65, 4))}).code, 2);
  EXPECT_EQ(verify({path + ".gone", "--authority", authority()}).code, 2);
  EXPECT_EQ(verify({path, "--authority", authority(), "--in", path + ".gone"}).code, 2);
  EXPECT_EQ(verify({}).code, 2);
  ::unsetenv("TCFDL_CONTEXT_DIR");
}

} // namespace
} // namespace tcfdl::cli
