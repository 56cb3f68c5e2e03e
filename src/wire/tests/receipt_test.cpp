#include "wire/receipt.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr UnixSeconds kReceiptNow = 1'800'000'000;
constexpr std::string_view kInputText = "the plate is red";
constexpr std::string_view kOutputText = "AB 123";

std::string hash_of(ReceiptBody body, const std::string& salt, std::string_view text) {
  ReceiptHash hash(body, as_bytes(salt));
  hash.update(as_bytes(text.substr(0, 3)));
  hash.update(as_bytes(text.substr(3)));
  return field(hash.finish());
}

void flip(char& byte) { byte = static_cast<char>(byte ^ 1); }

/// A receipt whose parts a test changes before they are signed: each test breaks one thing and sees one reason.
class Receipts : public testing::Test {
protected:
  void SetUp() override {
    descriptor_.set_name("plates/read");
    descriptor_.set_version(3);
    descriptor_.set_owner_key(field(owner_.public_key().bytes()));
    descriptor_.set_measurement(std::string(32, 'm'));
    descriptor_.add_tee_kinds("software");
    descriptor_.add_assurance("software");
    descriptor_.add_providers("west");
    descriptor_.add_protections("eae");

    certificate_.set_subject("read-1");
    certificate_.set_role(ROLE_INSTANCE);
    certificate_.set_verify_key(field(instance_.public_key().bytes()));
    certificate_.set_cluster("west");
    certificate_.set_node("node-1");
    certificate_.set_tee_kind("software");
    certificate_.set_assurance("software");
    certificate_.set_policy_version(7);
    certificate_.set_function("plates/read");
    certificate_.set_measurement(std::string(32, 'm'));
    certificate_.set_issued(kReceiptNow - 3600);
    certificate_.set_expires(kReceiptNow + 3600);

    statement_.set_task_id("018f0000-0000-7000-8000-0000000000aa");
    statement_.set_function("plates/read");
    statement_.set_version(3);
    statement_.set_owner(field(crypto::sha256(owner_.public_key().bytes())));
    statement_.set_measurement(std::string(32, 'm'));
    statement_.set_input_hash(hash_of(ReceiptBody::kInput, input_salt_, kInputText));
    statement_.set_output_hash(hash_of(ReceiptBody::kOutput, output_salt_, kOutputText));
    statement_.set_tee_kind("software");
    statement_.set_assurance("software");
    statement_.set_policy_version(7);
    statement_.set_cluster("west");
    statement_.set_node("node-1");
    statement_.set_instance("read-1");
    statement_.set_protection("eae");
    statement_.set_started_ms((kReceiptNow - 10) * 1000);
    statement_.set_finished_ms((kReceiptNow - 9) * 1000);
  }

  Receipt make() const {
    auto receipt = sign_receipt(instance_, statement_, sign(authority_, certificate_), sign(owner_, descriptor_));
    receipt.set_input_salt(input_salt_);
    receipt.set_output_salt(output_salt_);
    return receipt;
  }
  ReceiptVerdict judge(const Receipt& receipt, UnixSeconds now = kReceiptNow) const {
    return verify_receipt(serialize(receipt), {.authority = authority_.public_key(),
                                               .now = now,
                                               .input = as_bytes(kInputText),
                                               .output = as_bytes(kOutputText)});
  }
  static std::vector<std::string> names(const ReceiptVerdict& verdict) {
    EXPECT_FALSE(verdict.accepted());
    EXPECT_FALSE(verdict.outcome());
    std::vector<std::string> result;
    for (const auto& reason : verdict.reasons()) result.emplace_back(receipt_check_name(reason.check));
    return result;
  }
  std::vector<std::string> reasons(const Receipt& receipt) const { return names(judge(receipt)); }
  std::vector<std::string> reasons() const { return reasons(make()); }

  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::SigningKey instance_ = crypto::SigningKey::generate();
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  std::string input_salt_ = std::string(32, 'i');
  std::string output_salt_ = std::string(32, 'o');
  ReceiptStatement statement_;
  Certificate certificate_;
  Descriptor descriptor_;
};

TEST_F(Receipts, AreAcceptedWhenEveryCheckPasses) {
  const auto verdict = judge(make());
  EXPECT_TRUE(verdict.accepted()) << verdict.outcome().error().to_string();
  EXPECT_THAT(verdict.reasons(), IsEmpty());
  EXPECT_EQ(verdict.passed().size(), 17U);
  const auto outcome = verdict.outcome();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->instance(), "read-1");
}

TEST_F(Receipts, AreNotAcceptedBeforeEveryCheckWasMade) {
  EXPECT_FALSE(ReceiptVerdict({}).accepted());
  ReceiptVerdict half({ReceiptCheck::kForm, ReceiptCheck::kSignature});
  half.note(ReceiptCheck::kForm, Status());
  EXPECT_FALSE(half.accepted());
  EXPECT_THAT(half.outcome().error().message(), HasSubstr("not all checks were made"));
  half.note(ReceiptCheck::kSignature, Status());
  EXPECT_TRUE(half.accepted());
}

TEST_F(Receipts, AreRefusedWhenTheyDoNotParseOrPartsHaveOtherSizes) {
  const auto judge_bytes = [&](BytesView bytes) {
    return names(
        verify_receipt(bytes, {.authority = authority_.public_key(), .now = kReceiptNow, .input = {}, .output = {}}));
  };
  EXPECT_THAT(judge_bytes({}), ElementsAre("form"));
  EXPECT_THAT(judge_bytes(as_bytes("no receipt")), ElementsAre("form"));
  EXPECT_THAT(judge_bytes(Bytes(kMaxReceipt + 1, 0)), ElementsAre("form"));
  auto cut = serialize(make());
  cut.pop_back();
  EXPECT_THAT(judge_bytes(cut), ElementsAre("form"));
  auto salted = make();
  salted.set_input_salt("short");
  EXPECT_THAT(reasons(salted), ElementsAre("form"));
  statement_.set_task_id("1");
  EXPECT_THAT(reasons(), ElementsAre("form"));
}

TEST_F(Receipts, NeedACertificateOfThePinnedAuthority) {
  auto receipt = make();
  *receipt.mutable_certificate() = sign(crypto::SigningKey::generate(), certificate_);
  EXPECT_THAT(reasons(receipt), ElementsAre("certificate"));
  receipt = make();
  flip(receipt.mutable_certificate()->mutable_signature()->back());
  EXPECT_THAT(reasons(receipt), ElementsAre("certificate"));
}

TEST_F(Receipts, NeedACertificateOfAnInstance) {
  certificate_.set_role(ROLE_CLIENT);
  EXPECT_THAT(reasons(), ElementsAre("role"));
}

TEST_F(Receipts, NeedTheInstancesOwnSignature) {
  auto receipt = make();
  *receipt.mutable_statement() = sign(crypto::SigningKey::generate(), statement_);
  EXPECT_THAT(reasons(receipt), ElementsAre("signature"));
  statement_.set_finished_ms(statement_.finished_ms() + 1);
  receipt = make();
  receipt.mutable_statement()->set_signature(sign(instance_, certificate_).signature());
  EXPECT_THAT(reasons(receipt), ElementsAre("signature")) << "one of another kind of statement";
}

TEST_F(Receipts, NeedTheSignatureOverEveryByte) {
  const auto good = make();
  for (std::size_t at = 0; at < good.statement().statement().size(); ++at) {
    auto changed = good;
    flip((*changed.mutable_statement()->mutable_statement())[at]);
    EXPECT_FALSE(judge(changed).accepted()) << at;
  }
}

TEST_F(Receipts, AreOfTheCertifiedInstanceNodeAndCluster) {
  statement_.set_instance("read-2");
  EXPECT_THAT(reasons(), ElementsAre("instance"));
  statement_.set_instance("read-1");
  statement_.set_node("node-2");
  EXPECT_THAT(reasons(), ElementsAre("instance"));
  statement_.set_node("node-1");
  certificate_.set_cluster("east");
  EXPECT_THAT(reasons(), ElementsAre("instance"));
}

TEST_F(Receipts, AreOfTheCertifiedMeasurement) {
  certificate_.set_measurement(std::string(32, 'x'));
  EXPECT_THAT(reasons(), ElementsAre("measurement"));
}

TEST_F(Receipts, AreOfTheCertifiedFunction) {
  certificate_.set_function("plates/other");
  EXPECT_THAT(reasons(), ElementsAre("function"));
}

TEST_F(Receipts, AreOfTheCertifiedKindOfTee) {
  certificate_.set_tee_kind("sgx");
  EXPECT_THAT(reasons(), ElementsAre("tee_kind"));
  statement_.clear_tee_kind();
  certificate_.clear_tee_kind();
  EXPECT_THAT(reasons(), ElementsAre("tee_kind", "admitted")) << "nothing is no kind";
}

TEST_F(Receipts, AreOfTheCertifiedClass) {
  descriptor_.add_assurance("hardware");
  statement_.set_assurance("hardware");
  EXPECT_THAT(reasons(), ElementsAre("assurance"));
}

TEST_F(Receipts, NameThePolicyThatAdmittedTheInstance) {
  statement_.set_policy_version(8);
  EXPECT_THAT(reasons(), ElementsAre("policy_version"));
  certificate_.set_policy_version(8);
  EXPECT_EQ(judge(make()).outcome()->policy_version(), 8U);
  certificate_.clear_policy_version();
  EXPECT_THAT(reasons(), ElementsAre("policy_version")) << "none is no other";
}

TEST_F(Receipts, AreOfATimeWhenTheCertificateWasValid) {
  EXPECT_TRUE(judge(make(), kReceiptNow + 100'000).accepted()) << "then, not now";
  EXPECT_THAT(names(judge(make(), kReceiptNow - 1000)), ElementsAre("time")) << "the task ends in the future";
  certificate_.set_expires(kReceiptNow - 9);
  EXPECT_THAT(reasons(), ElementsAre("time"));
  certificate_.set_expires(kReceiptNow);
  EXPECT_TRUE(judge(make()).accepted());
  certificate_.set_issued(kReceiptNow - 10 + 301);
  EXPECT_THAT(reasons(), ElementsAre("time"));
  certificate_.set_issued(kReceiptNow - 3600);
  statement_.set_started_ms(statement_.finished_ms() + 1);
  EXPECT_THAT(reasons(), ElementsAre("time"));
  statement_.set_started_ms(0);
  EXPECT_THAT(reasons(), ElementsAre("time"));
}

TEST_F(Receipts, NeedADescriptorThatTheOwnerSigned) {
  auto receipt = make();
  flip(receipt.mutable_descriptor()->mutable_signature()->back());
  EXPECT_THAT(reasons(receipt), ElementsAre("descriptor"));
}

TEST_F(Receipts, AreOfTheOwnersFunctionAndVersion) {
  descriptor_.set_version(4);
  EXPECT_THAT(reasons(), ElementsAre("owner"));
  descriptor_.set_version(3);
  descriptor_.set_name("plates/other");
  EXPECT_THAT(reasons(), ElementsAre("owner"));
  descriptor_.set_name("plates/read");
  statement_.set_owner(std::string(32, 'x'));
  EXPECT_THAT(reasons(), ElementsAre("owner"));
}

TEST_F(Receipts, AreOfTheMeasurementThatTheOwnerSigned) {
  descriptor_.set_measurement(std::string(32, 'x'));
  EXPECT_THAT(reasons(), ElementsAre("descriptor_measurement"));
}

TEST_F(Receipts, AreOfWhatTheOwnerAdmits) {
  const auto good = descriptor_;
  descriptor_.set_tee_kinds(0, "sgx");
  EXPECT_THAT(reasons(), ElementsAre("admitted"));
  descriptor_ = good;
  descriptor_.set_assurance(0, "hardware");
  EXPECT_THAT(reasons(), ElementsAre("admitted"));
  descriptor_ = good;
  descriptor_.set_providers(0, "east");
  EXPECT_THAT(reasons(), ElementsAre("admitted"));
  descriptor_ = good;
  descriptor_.set_protections(0, "hse");
  EXPECT_THAT(reasons(), ElementsAre("admitted"));
}

TEST_F(Receipts, AreOfTheBodiesThatMakeTheirHashes) {
  statement_.set_input_hash(hash_of(ReceiptBody::kInput, input_salt_, "another input"));
  EXPECT_THAT(reasons(), ElementsAre("input"));
  statement_.set_input_hash(hash_of(ReceiptBody::kOutput, input_salt_, kInputText));
  EXPECT_THAT(reasons(), ElementsAre("input")) << "the hash of an output is none of an input";
  statement_.set_input_hash(hash_of(ReceiptBody::kInput, input_salt_, kInputText));
  statement_.set_output_hash(hash_of(ReceiptBody::kOutput, output_salt_, "another output"));
  EXPECT_THAT(reasons(), ElementsAre("output"));
}

TEST_F(Receipts, WithoutSaltsHoldAndTellNothingOfTheBodies) {
  auto receipt = make();
  receipt.clear_input_salt();
  receipt.clear_output_salt();
  EXPECT_THAT(reasons(receipt), ElementsAre("input", "output"));
  const auto verdict = verify_receipt(
      serialize(receipt), {.authority = authority_.public_key(), .now = kReceiptNow, .input = {}, .output = {}});
  EXPECT_TRUE(verdict.accepted());
}

TEST_F(Receipts, SaySomethingElseOfTheSameBodyUnderAnotherSalt) {
  EXPECT_NE(hash_of(ReceiptBody::kInput, input_salt_, kInputText),
            hash_of(ReceiptBody::kInput, output_salt_, kInputText));
}

} // namespace
} // namespace tcfdl::wire
