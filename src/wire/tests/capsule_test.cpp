#include "wire/capsule.hpp"

#include <gtest/gtest.h>

namespace tcfdl::wire {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

/// One sender i, one function f, one instance j, and the two proxies between them.
class CapsuleTest : public testing::Test {
protected:
  CapsuleTest() {
    Certificate certificate;
    certificate.set_subject("proxy-a");
    certificate.set_role(ROLE_PROXY);
    certificate.set_issued(kNow - 1);
    certificate.set_expires(kNow + 3600);
    certificate.set_verify_key(field(proxy_.public_key().bytes()));
    proxy_certificate_ = sign(authority_, certificate);
  }

  KeyScope scope(const std::string& holder = "i") {
    KeyScope result;
    result.set_function("echo");
    result.set_assurance("software");
    result.set_epoch(1);
    result.set_holder(holder);
    result.set_holder_verify_key(field(sender_.public_key().bytes()));
    return result;
  }

  MadeCapsule make() { return make_capsule({x_i_.clone(), scope()}, sender_, kNow); }
  ProxyKey provider() { return {crypto::reencryption_key(x_i_, f_), scope()}; }
  ProxyKey processor() { return {crypto::reencryption_key(f_, x_j_), scope("j")}; }

  Capsule turned(const MadeCapsule& made) {
    return turn_capsule(made.capsule, provider(), proxy_, proxy_certificate_, kNow).value();
  }
  crypto::VerifyKey authority() { return authority_.public_key(); }

  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::SigningKey proxy_ = crypto::SigningKey::generate();
  crypto::SigningKey sender_ = crypto::SigningKey::generate();
  crypto::Scalar f_ = crypto::Scalar::random();
  crypto::Scalar x_i_ = crypto::Scalar::random();
  crypto::Scalar x_j_ = crypto::Scalar::random();
  Signed proxy_certificate_;
};

TEST_F(CapsuleTest, CarriesTheKeyFromSenderToInstance) {
  const auto made = make();
  const auto finished = finish_capsule(turned(made), processor(), authority(), kNow);
  ASSERT_TRUE(finished) << finished.error().to_string();
  const auto opened = open_capsule(crypto::DecryptionKey(x_j_), *finished);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(crypto::equal_constant_time(opened->key.span(), made.secret.key.span()));
}

TEST_F(CapsuleTest, IsOpenedAgainByItsSenderAlone) {
  const auto made = make();
  auto own = turned(made); // as it travels, with what only the sender can open
  own.set_ek2(made.capsule.ek2());
  const SenderKey key{x_i_.clone(), scope()};
  const auto opened = open_own_capsule(key, sender_.public_key(), own);
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE(crypto::equal_constant_time(opened->key.span(), made.secret.key.span()));

  const auto refused = [&](const SenderKey& with, const crypto::SigningKey& signer, const Capsule& capsule) {
    const auto result = open_own_capsule(with, signer.public_key(), capsule);
    return result ? Code::kUnknown : result.error().code();
  };
  EXPECT_EQ(refused(key, proxy_, own), Code::kUnauthenticated) << "another's capsule";
  EXPECT_EQ(refused(key, sender_, turned(made)), Code::kUnauthenticated) << "in f form";
  auto changed = own;
  changed.set_commitment(std::string(32, 'c'));
  EXPECT_EQ(refused(key, sender_, changed), Code::kUnauthenticated) << "not what was signed";
  auto newer = scope();
  newer.set_epoch(2);
  EXPECT_EQ(refused({x_i_.clone(), newer}, sender_, own), Code::kFailedPrecondition) << "an epoch that is over";
}

TEST_F(CapsuleTest, OpensForNobodyElse) {
  const auto finished = finish_capsule(turned(make()), processor(), authority(), kNow).value();
  EXPECT_EQ(open_capsule(crypto::DecryptionKey(crypto::Scalar::random()), finished).error().code(),
            Code::kUnauthenticated);
}

TEST_F(CapsuleTest, IsNotTurnedWithAnotherSendersFunctionsClassesOrEpochsKey) {
  const auto made = make();
  const auto refused = [&](auto change) {
    auto key = provider();
    change(key.scope);
    return !turn_capsule(made.capsule, key, proxy_, proxy_certificate_, kNow);
  };
  EXPECT_TRUE(refused([](KeyScope& s) { s.set_holder("k"); }));
  EXPECT_TRUE(refused([](KeyScope& s) { s.set_function("other"); }));
  EXPECT_TRUE(refused([](KeyScope& s) { s.set_assurance("hardware"); }));
  EXPECT_TRUE(refused([](KeyScope& s) { s.set_epoch(2); }));
  EXPECT_TRUE(refused([](KeyScope& s) { s.set_holder_verify_key("x"); }));
}

TEST_F(CapsuleTest, IsRefusedWhenForgedFromAPublicKeyOrFromTheFunctionsPoint) {
  // Who knows x_i·P makes a capsule without the sender's signing key.
  const auto forger = crypto::SigningKey::generate();
  auto forged = make_capsule({x_i_.clone(), scope()}, forger, kNow);
  EXPECT_FALSE(turn_capsule(forged.capsule, provider(), proxy_, proxy_certificate_, kNow));
  // Who knows f·P makes a capsule in f form, and cannot countersign it.
  auto in_f_form = make_capsule({f_.clone(), scope()}, sender_, kNow);
  *in_f_form.capsule.mutable_proxy_certificate() = proxy_certificate_;
  EXPECT_FALSE(finish_capsule(in_f_form.capsule, processor(), authority(), kNow));
}

TEST_F(CapsuleTest, IsRefusedByTheProcessorsProxyForAnotherFunctionClassOrEpoch) {
  const auto capsule = turned(make());
  auto key = processor();
  key.scope.set_function("other");
  EXPECT_EQ(finish_capsule(capsule, key, authority(), kNow).error().code(), Code::kPermissionDenied);
  key = processor();
  key.scope.set_epoch(2);
  EXPECT_FALSE(finish_capsule(capsule, key, authority(), kNow));
}

TEST_F(CapsuleTest, IsRefusedWhenAnyOfItsPartsIsChangedOrMissing) {
  const auto good = turned(make());
  ASSERT_TRUE(verify_turned_capsule(good, authority(), kNow));
  using Field = std::string* (*)(Capsule&);
  const Field fields[] = {[](Capsule& c) { return c.mutable_header(); },
                          [](Capsule& c) { return c.mutable_ek1(); },
                          [](Capsule& c) { return c.mutable_ek2(); },
                          [](Capsule& c) { return c.mutable_commitment(); },
                          [](Capsule& c) { return c.mutable_sender_signature(); },
                          [](Capsule& c) { return c.mutable_countersignature(); }};
  for (const auto field_of : fields) {
    auto changed = good;
    field_of(changed)->back() = static_cast<char>(field_of(changed)->back() ^ 1);
    EXPECT_FALSE(finish_capsule(changed, processor(), authority(), kNow));
    changed = good;
    field_of(changed)->pop_back();
    EXPECT_FALSE(finish_capsule(changed, processor(), authority(), kNow));
    changed = good;
    field_of(changed)->clear();
    EXPECT_FALSE(finish_capsule(changed, processor(), authority(), kNow));
  }
  auto changed = good;
  changed.clear_proxy_certificate();
  EXPECT_FALSE(finish_capsule(changed, processor(), authority(), kNow));
}

TEST_F(CapsuleTest, IsRefusedOffTheCurveAndAtTheIdentity) {
  auto made = make();
  made.capsule.set_ek2(std::string(1, '\x04') + std::string(64, '\x01'));
  EXPECT_FALSE(turn_capsule(made.capsule, provider(), proxy_, proxy_certificate_, kNow));
  made.capsule.set_ek2(std::string(1, '\0'));
  EXPECT_FALSE(turn_capsule(made.capsule, provider(), proxy_, proxy_certificate_, kNow));
}

TEST_F(CapsuleTest, DiesAtItsExpiry) {
  const auto made = make();
  const auto capsule = turned(made);
  EXPECT_FALSE(turn_capsule(made.capsule, provider(), proxy_, proxy_certificate_, kNow + kCapsuleLifetime));
  EXPECT_FALSE(finish_capsule(capsule, processor(), authority(), kNow + kCapsuleLifetime));
  EXPECT_FALSE(finish_capsule(capsule, processor(), authority(), kNow - kClockSkew - 1)) << "a life beyond the limit";
}

} // namespace
} // namespace tcfdl::wire
