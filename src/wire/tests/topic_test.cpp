#include "wire/topic.hpp"

#include <gtest/gtest.h>

namespace tcfdl::wire {
namespace {

constexpr std::int64_t kPublished = 1'800'000'000;
constexpr std::int64_t kRetention = 7L * 24 * 3600;

/// A publisher i, a topic f, a subscriber j, and the two proxies between them.
class TopicTest : public testing::Test {
protected:
  TopicTest() {
    Certificate certificate;
    certificate.set_subject("proxy-a");
    certificate.set_role(ROLE_PROXY);
    certificate.set_issued(kPublished - 1);
    certificate.set_expires(kPublished + 3600);
    certificate.set_verify_key(field(proxy_.public_key().bytes()));
    proxy_certificate_ = sign(authority_, certificate);
    certificate.set_subject("i");
    certificate.set_role(ROLE_CLIENT);
    certificate.set_verify_key(field(publisher_.public_key().bytes()));
    publisher_certificate_ = sign(authority_, certificate);
  }

  KeyScope scope(std::int64_t life = kRetention + kCapsuleLifetime) {
    KeyScope result;
    result.set_function("plates/seen");
    result.set_assurance("software");
    result.set_epoch(1);
    result.set_holder("i");
    result.set_holder_verify_key(field(publisher_.public_key().bytes()));
    result.set_capsule_life(life);
    return result;
  }
  MadeCapsule make() { return make_capsule({x_i_.clone(), scope()}, publisher_, kPublished); }
  Result<Capsule> turn(const Capsule& capsule, std::int64_t now = kPublished, const KeyScope* other = nullptr) {
    return turn_capsule(capsule, {crypto::reencryption_key(x_i_, f_), other == nullptr ? scope() : *other}, proxy_,
                        proxy_certificate_, now);
  }
  Result<Capsule> finish(const Capsule& capsule, std::int64_t now) {
    return finish_capsule(capsule, {crypto::reencryption_key(f_, x_j_), scope()}, authority_.public_key(), now);
  }

  /// A message as its publisher seals it.
  TopicMessage message(BytesView body) {
    auto made = make();
    TopicMessage result;
    TopicHeader header;
    header.set_topic("plates/seen");
    header.set_id("1");
    header.set_publisher("i");
    header.set_protection("eae");
    header.set_assurance("software");
    header.set_epoch(1);
    header.set_capsule_id(capsule_header_unverified(made.capsule)->capsule_id());
    result.set_header(header.SerializeAsString());
    result.set_salt(std::string(crypto::kSaltSize, 's'));
    *result.mutable_capsule() = turn(made.capsule).value();
    result.set_body(seal_topic_body(made.secret, result, body).value());
    secret_ = std::move(made.secret);
    return result;
  }
  TopicMessage changed(TopicMessage message, const std::function<void(TopicHeader&)>& change) {
    auto header = parse<TopicHeader>(message.header()).value();
    change(header);
    message.set_header(header.SerializeAsString());
    return message;
  }

  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::SigningKey proxy_ = crypto::SigningKey::generate();
  crypto::SigningKey publisher_ = crypto::SigningKey::generate();
  crypto::Scalar f_ = crypto::Scalar::random();
  crypto::Scalar x_i_ = crypto::Scalar::random();
  crypto::Scalar x_j_ = crypto::Scalar::random();
  Signed proxy_certificate_;
  Signed publisher_certificate_;
  std::optional<crypto::CapsuleSecret> secret_;
};

TEST_F(TopicTest, ACapsuleOpensAsLongAsMessagesAreKept) {
  const auto made = make();
  const auto turned = turn(made.capsule).value();
  const auto last = kPublished + kRetention + kCapsuleLifetime - 1; // the countersigner's certificate has long expired
  const auto finished = finish(turned, last);
  ASSERT_TRUE(finished) << finished.error().to_string();
  const auto opened = open_capsule(crypto::DecryptionKey(x_j_), *finished);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(crypto::equal_constant_time(opened->key.span(), made.secret.key.span()));
  EXPECT_FALSE(finish(turned, last + 1));
}

TEST_F(TopicTest, ACapsuleOfATopicServesNoFunctionAndTheOtherWayAround) {
  const auto of_topic = make();
  auto function = scope(0);
  EXPECT_EQ(turn(of_topic.capsule, kPublished, &function).error().code(), Code::kPermissionDenied);
  const auto turned = turn(of_topic.capsule).value();
  EXPECT_EQ(verify_turned_capsule(turned, authority_.public_key(), kPublished).error().code(), Code::kPermissionDenied);
  const auto of_function = make_capsule({x_i_.clone(), function}, publisher_, kPublished);
  EXPECT_EQ(turn(of_function.capsule).error().code(), Code::kPermissionDenied);
}

TEST_F(TopicTest, ACapsuleThatLivesLongerThanTheTopicSaysIsNotTurned) {
  const auto greedy = scope(kRetention + kCapsuleLifetime + 1);
  const auto made = make_capsule({x_i_.clone(), greedy}, publisher_, kPublished);
  EXPECT_EQ(turn(made.capsule).error().code(), Code::kFailedPrecondition);
}

TEST_F(TopicTest, AnOldCapsuleIsNotTurned) {
  EXPECT_EQ(turn(make().capsule, kPublished + kClockSkew + 1).error().code(), Code::kFailedPrecondition);
}

TEST_F(TopicTest, ACountersignatureOfACertificateThatWasOverThenCounts) {
  auto made = make_capsule({x_i_.clone(), scope()}, publisher_, kPublished + 3600 + 1);
  const auto late = turn(made.capsule, kPublished + 3600 + 1).value();
  EXPECT_FALSE(finish(late, kPublished + 3600 + 2));
}

TEST_F(TopicTest, BodiesOfAllSizesOpenAgain) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, crypto::kSegmentSize, crypto::kSegmentSize + 1, kLargestTopicBody}) {
    const Bytes body(size, 7);
    const auto sealed = message(body);
    ASSERT_TRUE(check_topic_message(sealed)) << size;
    EXPECT_EQ(open_topic_body(*secret_, sealed).value(), body);
  }
}

TEST_F(TopicTest, AnythingThatWasChangedDoesNotOpen) {
  const auto sealed = message(Bytes(100, 7));
  auto shorter = sealed;
  shorter.mutable_body()->pop_back();
  EXPECT_FALSE(open_topic_body(*secret_, shorter));
  auto longer = sealed;
  longer.mutable_body()->append(crypto::kSealedSegmentSize, 'x');
  EXPECT_FALSE(open_topic_body(*secret_, longer));
  auto empty = sealed;
  empty.clear_body();
  EXPECT_FALSE(open_topic_body(*secret_, empty));
  EXPECT_FALSE(open_topic_body(*secret_, changed(sealed, [](auto& header) { header.set_id("2"); })));
}

TEST_F(TopicTest, HeaderAndCapsuleBelongTogether) {
  const auto sealed = message(Bytes(1, 7));
  EXPECT_TRUE(check_topic_message(sealed));
  EXPECT_FALSE(check_topic_message(changed(sealed, [](auto& header) { header.set_publisher("k"); })));
  EXPECT_FALSE(check_topic_message(changed(sealed, [](auto& header) { header.set_topic("plates/other"); })));
  EXPECT_FALSE(check_topic_message(changed(sealed, [](auto& header) { header.set_epoch(2); })));
  EXPECT_FALSE(check_topic_message(changed(sealed, [](auto& header) { header.set_protection("none"); })));
  EXPECT_FALSE(check_topic_message(changed(sealed, [](auto& header) { header.clear_id(); })));
  EXPECT_FALSE(check_topic_message(changed(sealed, [](auto& header) { header.set_id("a\nb"); })));
}

TEST_F(TopicTest, ASignatureIsOfThePublisherThatTheHeaderNames) {
  auto sealed = message(Bytes(1, 7));
  const auto check = [&](const TopicMessage& signed_message, std::int64_t stored = kPublished) {
    return check_topic_signature(signed_message, parse<TopicHeader>(signed_message.header()).value(),
                                 authority_.public_key(), stored);
  };
  EXPECT_EQ(check(sealed).error().code(), Code::kUnauthenticated);
  sign_topic_message(sealed, publisher_, publisher_certificate_);
  EXPECT_TRUE(check(sealed));
  EXPECT_FALSE(check(changed(sealed, [](auto& header) { header.set_publisher("k"); })));
  EXPECT_FALSE(check(sealed, kPublished + 3600)); // no certificate of then
  auto other = sealed;
  other.mutable_body()->back() = static_cast<char>(other.body().back() + 1);
  EXPECT_FALSE(check(other));
}

TEST(TopicGrants, AStarForFunctionsCoversNoTopic) {
  Certificate certificate;
  certificate.add_grants("*");
  EXPECT_FALSE(grants_allow_topic(certificate, kPublishGrant, "plates/seen"));
  certificate.add_grants("publish:plates/*");
  EXPECT_TRUE(grants_allow_topic(certificate, kPublishGrant, "plates/seen"));
  EXPECT_FALSE(grants_allow_topic(certificate, kSubscribeGrant, "plates/seen"));
  EXPECT_FALSE(grants_allow_topic(certificate, kPublishGrant, "voices/heard"));
}

TEST(TopicTriggers, NeedBothOwners) {
  Descriptor topic;
  topic.set_name("plates/seen");
  topic.set_owner_key("a");
  topic.mutable_topic();
  Descriptor function;
  function.set_name("plates/read");
  function.set_owner_key("a");
  EXPECT_FALSE(admits_trigger(topic, function)); // it does not want to be
  function.add_triggers("plates/seen");
  EXPECT_TRUE(admits_trigger(topic, function));
  function.set_owner_key("b");
  EXPECT_FALSE(admits_trigger(topic, function));
  topic.mutable_topic()->add_functions("plates/*");
  EXPECT_TRUE(admits_trigger(topic, function));
}

} // namespace
} // namespace tcfdl::wire
