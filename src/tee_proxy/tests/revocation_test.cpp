#include "tee_proxy/tests/proxy_world.hpp"

namespace tcfdl::tee_proxy {
namespace {

TEST_F(TeeProxyTest, KeepsListAndKeysWhenItsCertificateIsRenewed) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  ASSERT_TRUE(entry(keys_request()));
  ASSERT_TRUE(proxy_->set_revocations(list_of(authority_.key, 5, [](auto&) {})));
  ASSERT_TRUE(proxy_->set_identity(identity()));
  EXPECT_EQ(proxy_->revocation_number(), 5U);
  EXPECT_FALSE(proxy_->set_revocations(list_of(authority_.key, 4, [](auto&) {})));
  EXPECT_EQ(proxy_->set_revocations(list_of(authority_.key, 6, [](auto&) {})).value(), 6U);
}

TEST_F(TeeProxyTest, TurnsNothingOfARevokedSenderAndForgetsItsKey) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  ASSERT_TRUE(entry(keys_request()));
  const auto made = capsule();
  ASSERT_TRUE(turn(made.capsule));
  const auto key = wire::field(crypto::sha256(anna_.public_key().bytes()));
  const auto list = list_of(authority_.key, 5, [&](auto& filled) { filled.add_keys(key); });
  EXPECT_EQ(proxy_->set_revocations(list).value(), 5U);
  EXPECT_EQ(turn(made.capsule).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(code_of(keys_request()), Code::kUnauthenticated);
  EXPECT_EQ(authority_.asked, 1) << "the authority is not even asked";
  // The list of before: refused, also by the next process.
  const auto empty = [](auto&) {};
  EXPECT_EQ(proxy_->set_revocations(list_of(authority_.key, 4, empty)).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(proxy_->set_revocations(list_of(anna_, 6, empty)).error().code(), Code::kUnauthenticated);
  // Taken off the list, she has to ask for a key again: the one before is gone.
  ASSERT_TRUE(proxy_->set_revocations(list_of(authority_.key, 6, empty)));
  EXPECT_EQ(turn(made.capsule).error().code(), Code::kFailedPrecondition);
  EXPECT_TRUE(entry(keys_request()));
  EXPECT_TRUE(turn(made.capsule));
  ASSERT_TRUE(proxy_->set_revocations(list_of(authority_.key, 7, [&](auto& filled) { filled.add_keys(key); })));
  ASSERT_TRUE(start());
  EXPECT_EQ(proxy_->set_revocations(list).error().code(), Code::kFailedPrecondition) << "it has no identity yet";
  ASSERT_TRUE(proxy_->set_identity(identity()));
  EXPECT_EQ(proxy_->revocation_number(), 7U);
  EXPECT_EQ(proxy_->set_revocations(list_of(authority_.key, 6, empty)).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(keys_request()), Code::kUnauthenticated);
}

TEST_F(TeeProxyTest, TurnsCapsulesOfTheEpochInForceAndTakesNoKeysOfAnother) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  ASSERT_TRUE(entry(keys_request()));
  const auto old = capsule();
  const auto raised = [&](std::uint64_t number, std::int64_t until) {
    return list_of(authority_.key, number, [&](auto& list) {
      auto& echo = *list.add_epochs();
      echo.set_function("echo");
      echo.set_epoch(2);
      auto& retired = *echo.add_retired();
      retired.set_epoch(1);
      retired.set_until(until);
    });
  };
  ASSERT_TRUE(proxy_->set_revocations(raised(1, kNow + 60)));
  const auto replaced = turn(old.capsule);
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code(), Code::kFailedPrecondition) << "the caller asks for keys then";
  EXPECT_THAT(replaced.error().message(), testing::HasSubstr("epoch 1 of the keys of echo was replaced by epoch 2"));
  // An answer of the authority of before, which somebody on the way has kept.
  EXPECT_EQ(code_of(keys_request()), Code::kFailedPrecondition);
  authority_.proxy_scope.set_epoch(2);
  ASSERT_TRUE(entry(keys_request()));
  EXPECT_TRUE(turn(capsule().capsule));
}

TEST_F(TeeProxyTest, DoesNothingForOthersOnceItIsRevokedItself) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  ASSERT_TRUE(entry(keys_request()));
  ASSERT_TRUE(proxy_->set_revocations(list_of(
      authority_.key, 1, [&](auto& list) { list.add_keys(wire::field(crypto::sha256(as_bytes(verify_key_)))); })));
  EXPECT_EQ(turn(capsule().capsule).error().code(), Code::kUnauthenticated);
}

} // namespace
} // namespace tcfdl::tee_proxy
