#include "wire/descriptor.hpp"

#include "wire/signed.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

class Descriptors : public testing::Test {
protected:
  Descriptors() {
    descriptor_.set_name("plates/read");
    descriptor_.set_version(1);
    descriptor_.set_owner_key(field(owner_.public_key().bytes()));
    descriptor_.set_measurement(std::string(32, 'm'));
    descriptor_.add_tee_kinds("software");
    descriptor_.add_assurance("software");
    descriptor_.add_providers("west");
    descriptor_.add_protections("eae");
  }
  std::string refusal() {
    const auto checked = check_descriptor(sign(owner_, descriptor_));
    EXPECT_FALSE(checked);
    return checked ? "" : checked.error().message();
  }

  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  Descriptor descriptor_;
};

TEST_F(Descriptors, AGoodOnePasses) { EXPECT_TRUE(check_descriptor(sign(owner_, descriptor_))); }

TEST_F(Descriptors, NeedTheirOwnersSignature) {
  EXPECT_EQ(check_descriptor(sign(crypto::SigningKey::generate(), descriptor_)).error().code(), Code::kUnauthenticated);
}

TEST_F(Descriptors, AreRefusedByTheFieldAtFault) {
  const auto good = descriptor_;
  descriptor_.set_version(0);
  EXPECT_THAT(refusal(), testing::HasSubstr("version"));
  descriptor_ = good;
  descriptor_.set_measurement("short");
  EXPECT_THAT(refusal(), testing::HasSubstr("measurement"));
  descriptor_ = good;
  descriptor_.clear_tee_kinds();
  EXPECT_THAT(refusal(), testing::HasSubstr("tee_kinds"));
  descriptor_ = good;
  descriptor_.clear_assurance();
  EXPECT_THAT(refusal(), testing::HasSubstr("assurance"));
  descriptor_ = good;
  descriptor_.clear_providers();
  EXPECT_THAT(refusal(), testing::HasSubstr("providers"));
  descriptor_ = good;
  descriptor_.add_protections("rot13");
  EXPECT_THAT(refusal(), testing::HasSubstr("protections"));
  descriptor_ = good;
  descriptor_.add_providers(std::string(kMaxDescriptor, 'x'));
  EXPECT_THAT(refusal(), testing::HasSubstr("bytes"));
}

TEST_F(Descriptors, AdmitTheClustersThatTheyName) {
  EXPECT_TRUE(admits_provider(descriptor_, "west"));
  EXPECT_FALSE(admits_provider(descriptor_, "east"));
  descriptor_.add_providers("*");
  EXPECT_TRUE(admits_provider(descriptor_, "east"));
}

TEST_F(Descriptors, BelongToOneManifest) {
  const auto manifest = to_bytes("a manifest");
  descriptor_.set_measurement(field(crypto::sha256(manifest)));
  EXPECT_TRUE(check_bundle(sign(owner_, descriptor_), manifest));
  auto changed = manifest;
  changed[0] ^= 1U;
  const auto refused = check_bundle(sign(owner_, descriptor_), changed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message(),
              testing::HasSubstr("the manifest is not the one that the descriptor of plates"));
  EXPECT_EQ(check_bundle(sign(crypto::SigningKey::generate(), descriptor_), manifest).error().code(),
            Code::kUnauthenticated);
}

TEST_F(Descriptors, AreOfTheOwnerThatTheAuthorityStates) {
  KeyScope scope;
  scope.set_function("plates/read");
  scope.set_owner(field(crypto::sha256(owner_.public_key().bytes())));
  scope.set_version(4);
  const auto refusal = [&] {
    const auto checked = check_owner(scope, descriptor_);
    EXPECT_FALSE(checked);
    return checked ? Code{} : checked.error().code();
  };
  EXPECT_EQ(refusal(), Code::kFailedPrecondition) << "version 1, where version 4 is registered";
  for (const auto version : {4U, 5U}) {
    descriptor_.set_version(version);
    EXPECT_TRUE(check_owner(scope, descriptor_)) << version;
  }
  scope.set_owner(std::string(32, 'o'));
  EXPECT_EQ(refusal(), Code::kPermissionDenied);
  scope.clear_owner();
  EXPECT_EQ(refusal(), Code::kPermissionDenied) << "nobody is no owner";
  scope.set_owner(field(crypto::sha256(owner_.public_key().bytes())));
  scope.set_function("plates/write");
  EXPECT_EQ(refusal(), Code::kPermissionDenied);
}

} // namespace
} // namespace tcfdl::wire
