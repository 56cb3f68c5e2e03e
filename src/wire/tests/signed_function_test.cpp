#include "wire/signed_function.hpp"

#include "base/encoding.hpp"
#include "wire/confidential.hpp"
#include "wire/descriptor.hpp"
#include "wire/signed.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::wire {
namespace {

class SignedFunctions : public testing::Test {
protected:
  SignedFunctions() {
    Manifest manifest;
    manifest.command = {"bin/a"};
    manifest.files = {{.path = "bin/a", .sha256 = std::string(64, 'a'), .size = 3, .executable = true}};
    function_.manifest = as_text(write_manifest(manifest));
    auto& descriptor = function_.descriptor;
    descriptor.set_name("plates/read");
    descriptor.set_version(3);
    descriptor.set_owner_key(field(owner_.public_key().bytes()));
    descriptor.set_measurement(field(measure_manifest(as_bytes(function_.manifest))));
    descriptor.add_tee_kinds("software");
    descriptor.add_assurance("software");
    descriptor.add_providers("*");
    function_.signed_descriptor = sign(owner_, descriptor);
    function_.settings = R"({"scale":{"max":2,"min":1}})";
  }
  Error refusal(const nlohmann::json& document) const {
    const auto parsed = parse_signed_function(as_bytes(document.dump()));
    EXPECT_FALSE(parsed) << document.dump();
    return parsed ? Error(Code::kUnknown, "") : parsed.error();
  }
  nlohmann::json document() const { return nlohmann::json::parse(write_signed_function(function_)); }

  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  SignedFunction function_;
};

TEST_F(SignedFunctions, ComeBackAsTheyWereWritten) {
  const auto parsed = parse_signed_function(as_bytes(write_signed_function(function_)));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->descriptor.version(), 3U);
  EXPECT_EQ(parsed->manifest, function_.manifest);
  EXPECT_EQ(parsed->settings, function_.settings);
  EXPECT_EQ(parsed->parsed.files.size(), 1U);
  EXPECT_EQ(write_signed_function(*parsed), write_signed_function(function_));
}

TEST_F(SignedFunctions, ConfidentialFilesComeWithTheirKeyAndOthersWithNone) {
  auto extra = document();
  extra["content_key"] = "AAAA";
  EXPECT_EQ(refusal(extra).code(), Code::kInvalidArgument);
  const auto authority = crypto::HpkePrivateKey::generate();
  const ContentKey key;
  function_.content_key = seal_content_key(owner_, function_.descriptor, authority.public_key().bytes(), key).value();
  EXPECT_THAT(refusal(document()).message(), testing::HasSubstr("has no confidential files"));

  Manifest manifest;
  manifest.command = {"bin/a"};
  const std::string digest(64, 'a');
  manifest.files = {{"bin/a", digest, 3, true}, {"model", digest, 57, false, Plaintext{digest, 1}}};
  function_.manifest = as_text(write_manifest(manifest));
  function_.descriptor.set_measurement(field(measure_manifest(as_bytes(function_.manifest))));
  function_.signed_descriptor = sign(owner_, function_.descriptor);
  EXPECT_EQ(refusal(document()).code(), Code::kPermissionDenied) << "the key of another bundle";
  function_.content_key = seal_content_key(owner_, function_.descriptor, authority.public_key().bytes(), key).value();
  const auto parsed = parse_signed_function(as_bytes(write_signed_function(function_)));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  ASSERT_TRUE(parsed->content_key);
  EXPECT_EQ(write_signed_function(*parsed), write_signed_function(function_));
  function_.content_key.reset();
  EXPECT_THAT(refusal(document()).message(), testing::HasSubstr("content key is missing"));
}

TEST_F(SignedFunctions, AnotherManifestIsRefused) {
  auto swapped = document();
  auto manifest = swapped["manifest"].get<std::string>();
  manifest.replace(manifest.find(std::string(64, 'a')), 1, "b");
  swapped["manifest"] = manifest;
  EXPECT_EQ(refusal(swapped).code(), Code::kInvalidArgument);
  EXPECT_THAT(refusal(swapped).message(), testing::HasSubstr("the manifest is not the one"));
}

TEST_F(SignedFunctions, ADescriptorThatItsOwnerDidNotSignIsRefused) {
  auto forged = document();
  auto changed = function_.descriptor;
  changed.set_version(4);
  auto statement = function_.signed_descriptor;
  statement.set_statement(changed.SerializeAsString());
  forged["descriptor"] = to_base64url(serialize(statement));
  EXPECT_EQ(refusal(forged).code(), Code::kUnauthenticated);
  forged["descriptor"] = to_base64url(serialize(sign(crypto::SigningKey::generate(), function_.descriptor)));
  EXPECT_EQ(refusal(forged).code(), Code::kUnauthenticated);
}

TEST_F(SignedFunctions, OtherShapesAreRefused) {
  for (const auto* key : {"descriptor", "manifest"}) {
    auto bad = document();
    bad[key] = 7;
    EXPECT_EQ(refusal(bad).code(), Code::kInvalidArgument) << key;
    bad.erase(key);
    EXPECT_EQ(refusal(bad).code(), Code::kInvalidArgument) << key;
  }
  auto bad = document();
  bad["settings"] = "none";
  EXPECT_EQ(refusal(bad).code(), Code::kInvalidArgument);
  bad = document();
  bad["more"] = 1;
  EXPECT_EQ(refusal(bad).code(), Code::kInvalidArgument);
  EXPECT_FALSE(parse_signed_function(as_bytes("[]")));
  EXPECT_FALSE(parse_signed_function(Bytes(kMaxSignedFunction + 1, ' ')));
}

} // namespace
} // namespace tcfdl::wire
