#include "gateway/callers.hpp"

#include "gateway/tests/client_world.hpp"

#include <gmock/gmock.h>

namespace tcfdl::gateway {
namespace {

using testing::HasSubstr;

class CallersTest : public testing::Test {
protected:
  /// A request of who shows that certificate.
  static http::Request showing(Bytes leaf) {
    http::Request request;
    request.tls_certificate = std::move(leaf);
    return request;
  }
  /// The code of the refusal; nullopt for none.
  std::optional<Code> check(const Bytes& leaf, const std::string& function) {
    const auto checked = callers_.check_call(showing(leaf), function);
    if (checked) return std::nullopt;
    message_ = checked.error().message();
    return checked.error().code();
  }
  /// Anna's certificate with these grants from now on; the one before is on the list.
  void change_grants(const std::string& grant) {
    world_.revoke({world_.anna.serial()});
    world_.anna.set_serial(world_.anna.serial() + 8);
    world_.anna.set_grants(0, grant);
  }

  ClientWorld world_;
  int asked_ = 0;
  std::optional<Error> failure_;
  std::optional<crypto::SigningKey> forger_;
  std::string message_;
  Callers callers_{{world_.authority.public_key(), world_.cluster, world_.revocations, world_.clock},
                   [this](const wire::Signed&, Deadline) -> Result<wire::Signed> {
                     ++asked_;
                     if (failure_) return *failure_;
                     return wire::sign(forger_ ? *forger_ : world_.authority, world_.anna);
                   }};
};

TEST_F(CallersTest, AreKnownByTheirCertificates) {
  const auto caller = callers_.identify(world_.leaf());
  ASSERT_TRUE(caller) << caller.error().to_string();
  EXPECT_EQ(caller->name, "anna");
  world_.revoke({}, true);
  EXPECT_EQ(callers_.identify(world_.leaf()).error().code(), Code::kUnauthenticated);
}

TEST_F(CallersTest, MayCallWhatTheirGrantsNameAndNothingElse) {
  EXPECT_EQ(check(world_.leaf(), "plates/read"), std::nullopt);
  EXPECT_EQ(check(world_.leaf(), "echo"), Code::kPermissionDenied);
  EXPECT_EQ(message_, "anna has no grant to call echo") << "as the SDK's callers hear it";
  EXPECT_EQ(asked_, 0);
}

TEST_F(CallersTest, WithoutACertificateAreTheHolderOfTheTokenWhoMayCallEverything) {
  EXPECT_EQ(check({}, "echo"), std::nullopt);
}

TEST_F(CallersTest, HaveTheGrantsOfNowWhateverTheirCertificateSays) {
  const auto leaf = world_.leaf();
  change_grants("echo");
  EXPECT_EQ(check(leaf, "echo"), std::nullopt);
  EXPECT_EQ(check(leaf, "plates/read"), Code::kPermissionDenied);
  EXPECT_EQ(asked_, 1) << "the successor is kept";
  change_grants("plates/*");
  EXPECT_EQ(check(leaf, "echo"), Code::kPermissionDenied);
  EXPECT_EQ(check(leaf, "plates/read"), std::nullopt);
  EXPECT_EQ(asked_, 2);
}

TEST_F(CallersTest, AreRefusedOnceTheirKeyIsRevoked) {
  const auto leaf = world_.leaf();
  EXPECT_EQ(check(leaf, "plates/read"), std::nullopt);
  world_.revoke({}, true);
  EXPECT_EQ(check(leaf, "plates/read"), Code::kUnauthenticated);
}

TEST_F(CallersTest, GetNothingByAReplacedCertificateWhoseSuccessorIsNotThere) {
  const auto leaf = world_.leaf();
  change_grants("echo");
  failure_ = Error(Code::kUnavailable, "the authority is away");
  EXPECT_EQ(check(leaf, "plates/read"), Code::kUnavailable);
  failure_.reset();
  forger_ = crypto::SigningKey::generate(); // a master that would like to change grants
  EXPECT_EQ(check(leaf, "echo"), Code::kUnauthenticated);
  forger_.reset();
  const auto successor = world_.anna.serial();
  world_.anna.set_serial(8); // a master that gives the old one again
  world_.anna.set_grants(0, "plates/*");
  EXPECT_EQ(check(leaf, "plates/read"), Code::kUnauthenticated);
  world_.anna.set_serial(successor);
  world_.anna.set_subject("bert");
  EXPECT_EQ(check(leaf, "plates/read"), Code::kUnauthenticated);
}

} // namespace
} // namespace tcfdl::gateway
