#include "wire/hop_handshake.hpp"

#include "wire/tests/hop_world.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using testing::HasSubstr;

class HopHandshake : public testing::Test {
protected:
  Result<HopResponder> answer(BytesView offer) {
    return HopResponder::answer(proxy_.identity(), offer, {ROLE_CLIENT}, now_);
  }
  Result<HopAgreement> finish(HopInitiator& initiator, BytesView message) {
    return initiator.finish(message, {ROLE_PROXY}, now_, finish_);
  }
  HopAnswer answered(const HopInitiator& initiator) {
    return parse<HopAnswer>(answer(initiator.offer()).value().message()).value();
  }
  Code refused(HopInitiator& initiator, const HopAnswer& message) {
    const auto agreed = finish(initiator, serialize(message));
    EXPECT_TRUE(finish_.empty());
    return agreed ? Code::kUnknown : agreed.error().code();
  }

  crypto::SigningKey root_ = crypto::SigningKey::generate();
  HopParty caller_{root_, ROLE_CLIENT, "anna"};
  HopParty proxy_{root_, ROLE_PROXY, "node-1/proxy"};
  std::int64_t now_ = kHopNow;
  Bytes finish_;
};

TEST_F(HopHandshake, GivesBothSidesTheSameKeysAndTheOthersName) {
  HopInitiator initiator(caller_.identity());
  auto responder = answer(initiator.offer());
  ASSERT_TRUE(responder) << responder.error().to_string();
  const auto near = finish(initiator, responder->message());
  ASSERT_TRUE(near) << near.error().to_string();
  const auto far = std::move(*responder).confirm(finish_);
  ASSERT_TRUE(far) << far.error().to_string();
  EXPECT_EQ(near->peer.subject(), "node-1/proxy");
  EXPECT_EQ(far->peer.subject(), "anna");
  EXPECT_TRUE(crypto::equal_constant_time(near->request.span(), far->request.span()));
  EXPECT_TRUE(crypto::equal_constant_time(near->result.span(), far->result.span()));
  EXPECT_FALSE(crypto::equal_constant_time(near->request.span(), near->result.span()));
  EXPECT_EQ(near->expires, kHopNow + 3600);
}

TEST_F(HopHandshake, GivesOtherKeysEachTime) {
  HopPair one(caller_, proxy_);
  HopInitiator first(caller_.identity());
  HopInitiator second(caller_.identity());
  EXPECT_NE(first.offer(), second.offer());
  auto once = answer(first.offer());
  auto again = answer(first.offer());
  const auto keys = finish(first, once->message());
  const auto others = finish(first, again->message());
  EXPECT_FALSE(crypto::equal_constant_time(keys->request.span(), others->request.span()));
}

TEST_F(HopHandshake, RefusesAPeerWithoutACertificateForItsRole) {
  const HopParty worker(root_, ROLE_WORKER, "rsu-1");
  HopInitiator of_worker(worker.identity());
  EXPECT_EQ(answer(of_worker.offer()).error().code(), Code::kPermissionDenied);
  HopInitiator initiator(caller_.identity());
  auto offer = parse<HopIntroduction>(initiator.offer()).value();
  offer.set_nonce("short");
  EXPECT_EQ(answer(serialize(offer)).error().code(), Code::kUnauthenticated);
  const HopParty stranger(crypto::SigningKey::generate(), ROLE_CLIENT, "anna");
  HopInitiator of_stranger(stranger.identity());
  EXPECT_EQ(answer(of_stranger.offer()).error().code(), Code::kUnauthenticated);
  now_ += 4000;
  HopInitiator late(caller_.identity());
  EXPECT_EQ(answer(late.offer()).error().code(), Code::kUnauthenticated) << "expired";
}

TEST_F(HopHandshake, RefusesAnAnswerOfTheWrongRole) {
  const HopParty client(root_, ROLE_CLIENT, "mallory");
  HopInitiator initiator(caller_.identity());
  const auto other = HopResponder::answer(client.identity(), initiator.offer(), {ROLE_CLIENT}, now_);
  ASSERT_TRUE(other);
  EXPECT_EQ(finish(initiator, other->message()).error().code(), Code::kPermissionDenied);
}

TEST_F(HopHandshake, RefusesACertificateWithoutItsKey) {
  // Mallory has the proxy's certificate, which is public, and a share of her own.
  HopParty mallory(root_, ROLE_PROXY, "mallory");
  const HopIdentity stolen{mallory.signing, proxy_.certificate, proxy_.authority};
  HopInitiator initiator(caller_.identity());
  auto forged = HopResponder::answer(stolen, initiator.offer(), {ROLE_CLIENT}, now_);
  ASSERT_TRUE(forged);
  EXPECT_EQ(finish(initiator, forged->message()).error().code(), Code::kUnauthenticated);

  const HopIdentity as_anna{mallory.signing, caller_.certificate, caller_.authority};
  HopInitiator pretender(as_anna);
  auto responder = answer(pretender.offer());
  ASSERT_TRUE(responder) << "an offer shows no key yet";
  ASSERT_TRUE(finish(pretender, responder->message()));
  EXPECT_EQ(std::move(*responder).confirm(finish_).error().code(), Code::kUnauthenticated);
}

TEST_F(HopHandshake, RefusesAShareThatSomebodyPutInBetween) {
  HopInitiator initiator(caller_.identity());
  const auto strange = field(crypto::Point::generator_times(crypto::Scalar::random()).bytes());
  auto offer = parse<HopIntroduction>(initiator.offer()).value();
  offer.set_share(strange);
  auto responder = answer(serialize(offer));
  ASSERT_TRUE(responder) << "the responder cannot know yet";
  EXPECT_EQ(finish(initiator, responder->message()).error().code(), Code::kUnauthenticated);

  auto message = answered(initiator);
  auto introduction = parse<HopIntroduction>(message.introduction()).value();
  introduction.set_share(strange);
  message.set_introduction(introduction.SerializeAsString());
  EXPECT_EQ(refused(initiator, message), Code::kUnauthenticated);
}

TEST_F(HopHandshake, RefusesEachPartThatWasChanged) {
  HopInitiator initiator(caller_.identity());
  const auto good = answered(initiator);
  auto changed = good;
  changed.mutable_signature()->back() ^= 1;
  EXPECT_EQ(refused(initiator, changed), Code::kUnauthenticated);
  changed = good;
  changed.mutable_confirmation()->back() ^= 1;
  EXPECT_EQ(refused(initiator, changed), Code::kUnauthenticated);
  changed = good;
  changed.clear_confirmation();
  EXPECT_EQ(refused(initiator, changed), Code::kUnauthenticated);
  changed = good;
  auto introduction = parse<HopIntroduction>(good.introduction()).value();
  introduction.set_nonce("short");
  changed.set_introduction(introduction.SerializeAsString());
  EXPECT_EQ(refused(initiator, changed), Code::kUnauthenticated);
  introduction.set_nonce(std::string(32, 'n'));
  introduction.set_share(std::string(65, '\0'));
  changed.set_introduction(introduction.SerializeAsString());
  EXPECT_EQ(refused(initiator, changed), Code::kInvalidArgument);
}

TEST_F(HopHandshake, RefusesAnEndThatWasChangedOrIsOfAnotherHandshake) {
  HopInitiator initiator(caller_.identity());
  auto responder = answer(initiator.offer());
  ASSERT_TRUE(finish(initiator, responder->message()));
  const auto good = parse<HopFinish>(finish_).value();
  auto changed = good;
  changed.mutable_confirmation()->front() ^= 1;
  EXPECT_EQ(std::move(*responder).confirm(serialize(changed)).error().code(), Code::kUnauthenticated);
  auto replayed = answer(initiator.offer());
  EXPECT_EQ(std::move(*replayed).confirm(serialize(good)).error().code(), Code::kUnauthenticated);
}

TEST_F(HopHandshake, RefusesItsOwnOfferAsAMirrorGivesIt) {
  HopInitiator initiator(proxy_.identity());
  const auto mirrored = HopResponder::answer(proxy_.identity(), initiator.offer(), {ROLE_PROXY}, now_);
  EXPECT_EQ(mirrored.error().code(), Code::kUnauthenticated);
}

TEST_F(HopHandshake, TellsWhyThePeerRefused) {
  HopInitiator initiator(caller_.identity());
  HopAnswer refusal;
  *refusal.mutable_error() = to_info(Error(Code::kPermissionDenied, "not for you"));
  const auto agreed = finish(initiator, serialize(refusal));
  EXPECT_EQ(agreed.error().code(), Code::kUnavailable);
  EXPECT_THAT(agreed.error().message(), HasSubstr("not for you"));
}

TEST_F(HopHandshake, BindsTheEvidenceOfBothSides) {
  // The same keys with other evidence are another identity.
  caller_.statement.set_evidence_hash(std::string(32, 'f'));
  const auto other = sign(root_, caller_.statement);
  HopInitiator initiator(caller_.identity());
  auto offer = parse<HopIntroduction>(initiator.offer()).value();
  *offer.mutable_certificate() = other;
  auto responder = answer(serialize(offer));
  ASSERT_TRUE(responder);
  EXPECT_EQ(finish(initiator, responder->message()).error().code(), Code::kUnauthenticated);
}

} // namespace
} // namespace tcfdl::wire
