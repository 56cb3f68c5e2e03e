#include "sdk/confidential_files.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/random.hpp"

#include <functional>
#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;

constexpr UnixSeconds kOpenedAt = 1'800'000'000;
constexpr std::string_view kModel = "the weights of a model";

/// An instance of a bundle with one confidential file, and everything that it was given.
class ConfidentialFiles : public testing::Test {
protected:
  ConfidentialFiles() {
    places_ = {.bundle = root_.path() / "bundle", .sealed = root_.path() / "sealed", .opened = root_.path() / "opened"};
    for (const auto& place : {places_.sealed, places_.opened}) std::filesystem::create_directories(place / "m");
    EXPECT_TRUE(write_file(root_.path() / "model", as_bytes(kModel)));
    EXPECT_TRUE(write_file(places_.opened / "m/model", {}));
    std::filesystem::create_directory_symlink(places_.opened, places_.bundle);
    auto entry =
        wire::encrypt_file(key_, {"plates/read", "m/model"}, root_.path() / "model", places_.sealed / "m/model");
    EXPECT_TRUE(entry);
    manifest_.command = {"bin/x"};
    manifest_.files = {*std::move(entry)};
    scope_.set_function("plates/read");
    scope_.set_role(wire::KEY_ROLE_CONTENT);
    scope_.set_holder("plates-read-1");
    scope_.set_recipient_key(wire::field(sealing_.public_key().bytes()));
    scope_.set_expires(kOpenedAt + 60);
    measure();
  }
  void measure() {
    const auto measurement = wire::field(wire::measure_manifest(wire::write_manifest(manifest_)));
    scope_.set_measurement(measurement);
    certified_measurement_ = measurement;
  }
  Status open() {
    wire::Certificate certificate;
    certificate.set_subject("plates-read-1");
    certificate.set_function("plates/read");
    certificate.set_measurement(certified_measurement_);
    auto signing = crypto::SigningKey::from_private_bytes(signing_.private_bytes().span()).value();
    auto sealing = crypto::HpkePrivateKey::from_bytes(sealing_.private_bytes().span()).value();
    const Identity identity{"plates-read-1", std::move(signing), std::move(sealing),
                            wire::HeldCertificate(wire::sign(authority_, certificate)), authority_.public_key()};
    Content content{.manifest = wire::field(wire::write_manifest(manifest_)), .key = {}};
    if (has_key_) {
      auto sealed =
          crypto::hpke_seal(as_bytes(scope_.recipient_key()), as_bytes(scope_.SerializeAsString()), {}, key_.span());
      content.key = wire::sign_key_package(*issuer_, scope_, *std::move(sealed));
    }
    return open_confidential_files(identity, content, places_, kOpenedAt);
  }
  Error refusal() {
    const auto opened = open();
    EXPECT_FALSE(opened);
    EXPECT_EQ(read_text_file(places_.opened / "m/model").value_or(""), "") << "nothing is left";
    return opened ? Error(Code::kUnknown, "") : opened.error();
  }

  TemporaryDirectory root_;
  ContentPlaces places_;
  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::SigningKey stranger_ = crypto::SigningKey::generate();
  const crypto::SigningKey* issuer_ = &authority_;
  crypto::SigningKey signing_ = crypto::SigningKey::generate();
  crypto::HpkePrivateKey sealing_ = crypto::HpkePrivateKey::generate();
  wire::ContentKey key_ = crypto::random_secret<crypto::kAeadKeySize>();
  wire::Manifest manifest_;
  wire::KeyScope scope_;
  std::string certified_measurement_;
  bool has_key_ = true;
};

TEST_F(ConfidentialFiles, AreOpenWhereFunctionsLookForThem) {
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_EQ(read_text_file(places_.bundle / "m/model").value(), kModel);
}

TEST_F(ConfidentialFiles, NeedAKeyOfTheAuthority) {
  has_key_ = false;
  EXPECT_THAT(refusal().message(), HasSubstr("the authority has no key for the confidential files of plates/read"));
  has_key_ = true;
  issuer_ = &stranger_;
  EXPECT_EQ(refusal().code(), Code::kUnauthenticated);
}

TEST_F(ConfidentialFiles, TakeNoKeyOfAnotherBundleRoleOrInstance) {
  const auto good = scope_;
  for (const auto& bend : std::vector<std::function<void(wire::KeyScope&)>>{
           [](auto& scope) { scope.set_function("plates/write"); },
           [](auto& scope) { scope.set_measurement(std::string(32, 'n')); },
           [](auto& scope) { scope.set_role(wire::KEY_ROLE_PROCESSOR); },
           [](auto& scope) { scope.set_holder("plates-read-2"); }}) {
    scope_ = good;
    bend(scope_);
    EXPECT_EQ(refusal().code(), Code::kPermissionDenied);
  }
}

TEST_F(ConfidentialFiles, AreThoseOfTheCertifiedManifest) {
  manifest_.logs = wire::LogPolicy::kHost;
  EXPECT_THAT(refusal().message(), HasSubstr("the manifest is not the one"));
  measure();
  EXPECT_TRUE(open());
}

TEST_F(ConfidentialFiles, AreRefusedByNameWhenTheHostSwapsThem) {
  ASSERT_TRUE(write_file(root_.path() / "other", as_bytes("the weights of another")));
  std::filesystem::remove(places_.sealed / "m/model");
  const auto elsewhere = crypto::random_secret<crypto::kAeadKeySize>();
  ASSERT_TRUE(
      wire::encrypt_file(elsewhere, {"plates/read", "m/model"}, root_.path() / "other", places_.sealed / "m/model"));
  const auto error = refusal();
  EXPECT_EQ(error.code(), Code::kUnauthenticated);
  EXPECT_THAT(error.message(), HasSubstr("plates/read: m/model"));
  // Sealed with the right key: an older version of the file, say.
  std::filesystem::remove(places_.sealed / "m/model");
  ASSERT_TRUE(wire::encrypt_file(key_, {"plates/read", "m/model"}, root_.path() / "other", places_.sealed / "m/model"));
  EXPECT_EQ(refusal().code(), Code::kDataLoss);
}

TEST_F(ConfidentialFiles, AreNotReadFromSomethingElseInTheBundle) {
  std::filesystem::remove(places_.bundle);
  std::filesystem::create_directories(places_.bundle / "m");
  ASSERT_TRUE(write_file(places_.bundle / "m/model", as_bytes("of the host")));
  EXPECT_THAT(refusal().message(), HasSubstr("does not show the opened file"));
}

TEST_F(ConfidentialFiles, NeedAPlace) {
  places_ = {};
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), HasSubstr("TCFDL_CONFIDENTIAL is not set"));
}

} // namespace
} // namespace tcfdl::sdk
