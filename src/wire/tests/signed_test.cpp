#include "wire/signed.hpp"

#include <gtest/gtest.h>

namespace tcfdl::wire {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

Certificate certificate() {
  Certificate result;
  result.set_subject("node-a");
  result.set_role(ROLE_WORKER);
  result.set_issued(kNow - 10);
  result.set_expires(kNow + 10);
  return result;
}

class Statements : public testing::Test {
protected:
  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::VerifyKey key_ = authority_.public_key();
};

TEST_F(Statements, RoundTrip) {
  const auto checked = verify_certificate(key_, sign(authority_, certificate()), {ROLE_WORKER}, kNow);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->subject(), "node-a");
}

TEST_F(Statements, RefuseForeignSignersChangedBytesAndOtherTypes) {
  auto good = sign(authority_, certificate());
  EXPECT_FALSE(verify_certificate(crypto::SigningKey::generate().public_key(), good, {ROLE_WORKER}, kNow));
  auto changed = good;
  changed.mutable_statement()->back() = static_cast<char>(changed.statement().back() ^ 1);
  EXPECT_FALSE(verify_certificate(key_, changed, {ROLE_WORKER}, kNow));
  EXPECT_FALSE(verify<Lease>(key_, good)) << "a statement of one type must not pass for another";
}

TEST_F(Statements, RefuseExpiredFutureAndOtherRoles) {
  const auto good = sign(authority_, certificate());
  EXPECT_EQ(verify_certificate(key_, good, {ROLE_WORKER}, kNow + 10).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(verify_certificate(key_, good, {ROLE_WORKER}, kNow - 400).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(verify_certificate(key_, good, {ROLE_PROXY}, kNow).error().code(), Code::kPermissionDenied);
}

TEST_F(Statements, KeyPackagesBindScopeAndContent) {
  KeyScope scope;
  scope.set_function("echo");
  scope.set_expires(kNow + 10);
  const auto good = sign_key_package(authority_, scope, Bytes(48, 1));
  EXPECT_TRUE(verify_key_package(key_, good, kNow));
  EXPECT_FALSE(verify_key_package(key_, good, kNow + 10));
  auto changed = good;
  changed.mutable_sealed()->front() = 2;
  EXPECT_FALSE(verify_key_package(key_, changed, kNow));
  changed = good;
  scope.set_function("other");
  changed.set_scope(scope.SerializeAsString());
  EXPECT_FALSE(verify_key_package(key_, changed, kNow));
}

TEST(Grants, NameAFunctionOrAPrefix) {
  Certificate holder;
  holder.add_grants("plates/*");
  holder.add_grants("echo");
  EXPECT_TRUE(grants_allow(holder, "plates/read"));
  EXPECT_TRUE(grants_allow(holder, "echo"));
  EXPECT_FALSE(grants_allow(holder, "echo2"));
  EXPECT_FALSE(grants_allow(holder, "text/detect"));
}

} // namespace
} // namespace tcfdl::wire
