#include "security_manager/access_control.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>

namespace tcfdl::security_manager {
namespace {

constexpr std::int64_t kHour = 3600;

class FixedClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return time; }
  UnixSeconds time = 1'800'000'000;
};

class AccessControlTest : public testing::Test {
protected:
  void open() {
    access_.reset();
    database_ = database::Database::open(directory_.path() / "test.sqlite").value();
    access_ = AccessControl::open(*database_, clock_, "the owner's token").value();
  }
  void SetUp() override { open(); }

  TemporaryDirectory directory_;
  FixedClock clock_;
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<AccessControl> access_;
};

TEST_F(AccessControlTest, KnowsTheOwnerAsAdmin) {
  const auto owner = access_->authenticate("the owner's token");
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->name, "owner");
  EXPECT_EQ(owner->role, AccessRole::kAdmin);
  EXPECT_FALSE(access_->authenticate(""));
  EXPECT_FALSE(access_->authenticate("the owner's toke"));
}

TEST_F(AccessControlTest, KnowsWhomItGaveATokenAlsoAfterARestart) {
  const auto issued = access_->create("ann", AccessRole::kDeployer, kHour).value();
  open();
  const auto ann = access_->authenticate(issued.token);
  ASSERT_TRUE(ann);
  EXPECT_EQ(ann->name, "ann");
  EXPECT_EQ(ann->role, AccessRole::kDeployer);
  EXPECT_FALSE(access_->authenticate(issued.token + "x"));
}

TEST_F(AccessControlTest, KnowsAClientAsCallerUntilItIsGivenARoleAndApartFromTokensOfThatName) {
  ASSERT_TRUE(access_->create("ann", AccessRole::kAdmin, kHour));
  EXPECT_EQ(access_->client("ann")->name, "client:ann");
  EXPECT_EQ(access_->client("ann")->role, AccessRole::kCaller) << "another ann has that token";
  const auto issued = access_->create("client:ann", AccessRole::kDeployer, kHour);
  ASSERT_TRUE(issued) << issued.error().to_string();
  EXPECT_EQ(issued->token, "") << "its certificate is its token";
  EXPECT_FALSE(access_->authenticate(""));
  EXPECT_EQ(access_->client("ann")->role, AccessRole::kDeployer);
  EXPECT_EQ(access_->list()->size(), 2U);
  clock_.time += kHour;
  EXPECT_EQ(access_->client("ann")->role, AccessRole::kCaller);
  ASSERT_TRUE(access_->create("client:ann", AccessRole::kViewer, kHour));
  EXPECT_EQ(access_->client("ann")->role, AccessRole::kViewer);
  ASSERT_TRUE(access_->revoke("client:ann"));
  EXPECT_EQ(access_->client("ann")->role, AccessRole::kCaller);
  EXPECT_EQ(access_->create("client:", AccessRole::kViewer, kHour).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(access_->create("node:ann", AccessRole::kViewer, kHour).error().code(), Code::kInvalidArgument);
}

TEST_F(AccessControlTest, KeepsNoToken) {
  const auto issued = access_->create("ann", AccessRole::kViewer, kHour).value();
  access_.reset();
  database_.reset();
  const auto file = read_file(directory_.path() / "test.sqlite", 1U << 20U).value();
  EXPECT_EQ(as_text(file).find(issued.token), std::string_view::npos);
}

TEST_F(AccessControlTest, ForgetsTokensThatExpire) {
  const auto issued = access_->create("ann", AccessRole::kViewer, kHour).value();
  clock_.time += kHour - 1;
  EXPECT_TRUE(access_->authenticate(issued.token));
  clock_.time += 1;
  EXPECT_FALSE(access_->authenticate(issued.token));
  EXPECT_TRUE(access_->list().value().empty());
  EXPECT_TRUE(access_->create("ann", AccessRole::kViewer, kHour)) << "the name is free again";
}

TEST_F(AccessControlTest, RefusesRevokedTokens) {
  const auto ann = access_->create("ann", AccessRole::kAdmin, kHour).value();
  const auto bob = access_->create("bob", AccessRole::kViewer, kHour).value();
  EXPECT_TRUE(access_->revoke("ann"));
  EXPECT_FALSE(access_->authenticate(ann.token));
  EXPECT_TRUE(access_->authenticate(bob.token));
  EXPECT_EQ(access_->revoke("ann").error().code(), Code::kNotFound);
  EXPECT_EQ(access_->revoke("owner").error().code(), Code::kPermissionDenied);
}

TEST_F(AccessControlTest, ListsWhoHasAccess) {
  ASSERT_TRUE(access_->create("bob", AccessRole::kCaller, kHour));
  ASSERT_TRUE(access_->create("ann", AccessRole::kViewer, 2 * kHour));
  const auto entries = access_->list().value();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].principal.name, "ann");
  EXPECT_EQ(entries[0].expires, clock_.time + 2 * kHour);
  EXPECT_EQ(entries[1].principal.role, AccessRole::kCaller);
}

TEST_F(AccessControlTest, RefusesBadNamesAndLifetimes) {
  EXPECT_EQ(access_->create("", AccessRole::kViewer, kHour).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(access_->create("a b", AccessRole::kViewer, kHour).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(access_->create("ann", AccessRole::kViewer, 0).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(access_->create("ann", AccessRole::kViewer, 400 * 24 * kHour).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(access_->create("owner", AccessRole::kViewer, kHour).error().code(), Code::kAlreadyExists);
  ASSERT_TRUE(access_->create("ann", AccessRole::kViewer, kHour));
  EXPECT_EQ(access_->create("ann", AccessRole::kViewer, kHour).error().code(), Code::kAlreadyExists);
}

TEST(AccessRole, HasANameEach) {
  for (const auto role : {AccessRole::kViewer, AccessRole::kCaller, AccessRole::kDeployer, AccessRole::kAdmin}) {
    EXPECT_EQ(parse_access_role(role_name(role)).value(), role);
  }
  EXPECT_FALSE(parse_access_role("root"));
}

} // namespace
} // namespace tcfdl::security_manager
