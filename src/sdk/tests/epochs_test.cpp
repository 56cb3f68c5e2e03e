// An instance and the authority's lists: epochs of keys, and what is revoked.
#include "sdk/tests/instance_world.hpp"

#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

class Epochs : public InstanceWorld {
protected:
  void SetUp() override {
    InstanceWorld::SetUp();
    start_echo();
  }

  static wire::KeyScope scope_of(std::uint32_t epoch, const std::string& holder, const crypto::SigningKey& key) {
    auto result = scope(holder, key);
    result.set_epoch(epoch);
    return result;
  }
  /// From here on the authority gives keys of that epoch, to the instance when it asks.
  void rotate(std::uint32_t epoch) {
    f_ = crypto::Scalar::random();
    const auto x = crypto::Scalar::random();
    auto stated = scope_of(epoch, "echo-1", instance_.signing);
    proxy_.add(crypto::reencryption_key(f_, x), stated);
    stated.set_role(wire::KEY_ROLE_PROCESSOR);
    stated.set_recipient_key(wire::field(instance_.sealing.public_key().bytes()));
    stated.set_expires(now_seconds() + 3600);
    auto sealed = crypto::hpke_seal(instance_.sealing.public_key().bytes(), as_bytes(stated.SerializeAsString()), {},
                                    x.to_bytes().span());
    wire::ProxyReply reply;
    *reply.mutable_attached()->mutable_processor_key() = wire::sign_key_package(authority_, stated, *std::move(sealed));
    proxy_.renewal = std::move(reply);
  }
  ReadyCapsule capsule_of_epoch(std::uint32_t epoch) {
    return capsule_of(anna_, scope_of(epoch, "anna", anna_.signing));
  }
  static void end_epochs_before(wire::RevocationList& list, std::uint32_t epoch, std::int64_t until) {
    auto& echo = *list.add_epochs();
    echo.set_function("echo");
    echo.set_epoch(epoch);
    auto& retired = *echo.add_retired();
    retired.set_epoch(epoch - 1);
    retired.set_until(until);
  }
};

TEST_F(Epochs, AnInstanceServesTheNextOneWithoutLosingTheOneBefore) {
  Session session(*server_);
  auto before = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, before));
  rotate(2);
  const auto newer = capsule_of_epoch(2);
  auto after = call_of(anna_, &newer);
  const auto served = exchange(session, after);
  ASSERT_TRUE(served) << served.error().to_string();
  const auto asked = proxy_.asked.load();
  auto cached = call_of(anna_, &capsule_);
  EXPECT_TRUE(exchange(session, cached)) << "a cached capsule of the epoch before";
  Session other(*server_);
  auto sent_again = call_of(anna_, &capsule_);
  EXPECT_TRUE(exchange(other, sent_again)) << "and one that comes again";
  EXPECT_EQ(proxy_.asked.load(), asked + 1) << "keys are asked for once an epoch";
}

TEST_F(Epochs, AfterTheOverlapAnOldCapsuleIsRefusedCachedOrNot) {
  Session session(*server_);
  auto before = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, before));
  revoke([](auto& list) { end_epochs_before(list, 2, now_seconds() + 60); });
  server_->erase_void();
  auto within = call_of(anna_, &capsule_);
  EXPECT_TRUE(exchange(session, within)) << "the overlap has not ended";
  revoke([](auto& list) { end_epochs_before(list, 2, now_seconds()); });
  auto cached = call_of(anna_, &capsule_);
  const auto refused = refusal(session, cached);
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), testing::HasSubstr("epoch 1 of the keys of echo is over, epoch 2 is in force"));
  server_->erase_void();
  Session other(*server_);
  auto again = call_of(anna_, &capsule_);
  EXPECT_THAT(refusal(other, again).message(), testing::HasSubstr("epoch 1 of the keys of echo is over"));
}

TEST_F(Epochs, NoneIsServedThatTheAuthorityDoesNotGiveAndNoneComesBack) {
  rotate(2);
  Session session(*server_);
  const auto newer = capsule_of_epoch(2);
  auto first = call_of(anna_, &newer);
  ASSERT_TRUE(exchange(session, first));
  const auto ahead = capsule_of_epoch(3);
  auto call = call_of(anna_, &ahead);
  EXPECT_THAT(refusal(session, call).message(), testing::HasSubstr("takes no tasks of epoch 3"));
  rotate(1); // an answer of the authority from before
  EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied);
}

TEST_F(Epochs, ARevokedCallerWhoseCapsuleIsCachedIsRefused) {
  Session session(*server_);
  auto first = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, first));
  revoke([&](auto& list) { list.add_keys(hash_of(anna_.signing)); });
  auto second = call_of(anna_, &capsule_);
  const auto refused = refusal(session, second);
  EXPECT_EQ(refused.code(), Code::kUnauthenticated);
  EXPECT_THAT(refused.message(), testing::HasSubstr("revoked"));
  const auto berts = capsule_of(bert_);
  Session other(*server_);
  auto call = call_of(bert_, &berts);
  EXPECT_TRUE(exchange(other, call)) << "others are served";
  Session unprotected(*server_);
  auto plain = call_of(anna_, nullptr);
  EXPECT_EQ(refusal(unprotected, plain).code(), Code::kUnauthenticated);
}

TEST_F(Epochs, WhatARevokedProxyTurnedAndARevokedMasterLeasedIsRefused) {
  Session session(*server_);
  auto good = call_of(bert_, nullptr);
  ASSERT_TRUE(exchange(session, good)) << "its master is remembered";
  revoke([&](auto& list) { list.add_keys(hash_of(proxy_key_)); });
  Session other(*server_);
  auto turned = call_of(anna_, &capsule_);
  EXPECT_EQ(refusal(other, turned).code(), Code::kUnauthenticated);
  revoke([&](auto& list) { list.add_keys(hash_of(master_)); });
  auto leased = call_of(bert_, nullptr);
  EXPECT_EQ(refusal(session, leased).code(), Code::kUnauthenticated);
}

TEST_F(Epochs, WhoKnowsTheFunctionsPointInsteadOfAKeyGetsNothingThrough) {
  // r·f·P is what a proxy makes of a capsule: with f·P anybody can make it, but for the countersignature.
  auto made = wire::make_capsule({f_.clone(), scope("anna", anna_.signing)}, anna_.signing, now_seconds());
  ReadyCapsule forged{made.capsule, wire::capsule_header_unverified(made.capsule).value(), std::move(made.secret)};
  const auto countersign = [&](const crypto::SigningKey& key, const wire::Signed& certificate) {
    auto& capsule = forged.capsule;
    capsule.set_countersignature(
        wire::field(wire::sign_labelled(key, "Countersignature",
                                        {crypto::sha256(as_bytes(capsule.header())), as_bytes(capsule.ek1()),
                                         as_bytes(capsule.commitment()), as_bytes(capsule.ek2())})));
    *capsule.mutable_proxy_certificate() = certificate;
  };
  const auto refused = [&](const std::string& who) {
    Session session(*server_);
    auto call = call_of(anna_, &forged);
    const auto error = refusal(session, call);
    EXPECT_TRUE(error.code() == Code::kUnauthenticated || error.code() == Code::kPermissionDenied)
        << who << ": " << error.to_string();
  };
  refused("nobody");
  countersign(anna_.signing, anna_.certificate.get());
  refused("the sender");
  countersign(master_, master_certificate_);
  refused("a master");
  countersign(anna_.signing, proxy_certificate_);
  refused("the sender in a proxy's name");
  EXPECT_EQ(proxy_.asked.load(), 0);
  countersign(proxy_key_, proxy_certificate_);
  Session session(*server_);
  auto call = call_of(anna_, &forged);
  EXPECT_TRUE(exchange(session, call)) << "the countersignature alone was missing";
}

TEST_F(Epochs, AMasterIsNoSender) {
  auto made = wire::make_capsule({f_.clone(), scope("master-a", master_)}, master_, now_seconds());
  ReadyCapsule forged{made.capsule, wire::capsule_header_unverified(made.capsule).value(), std::move(made.secret)};
  forged.capsule.set_countersignature(wire::field(
      wire::sign_labelled(master_, "Countersignature",
                          {crypto::sha256(as_bytes(forged.capsule.header())), as_bytes(forged.capsule.ek1()),
                           as_bytes(forged.capsule.commitment()), as_bytes(forged.capsule.ek2())})));
  *forged.capsule.mutable_proxy_certificate() = master_certificate_;
  const Identity as_master{"master-a", crypto::SigningKey::from_private_bytes(master_.private_bytes().span()).value(),
                           crypto::HpkePrivateKey::generate(), master_certificate_, authority_.public_key()};
  Session session(*server_);
  auto call = call_of(as_master, &forged);
  const auto refused = refusal(session, call);
  EXPECT_EQ(refused.code(), Code::kPermissionDenied) << refused.to_string();
  EXPECT_THAT(refused.message(), testing::HasSubstr("ROLE_MASTER"));
}

} // namespace
} // namespace tcfdl::sdk
