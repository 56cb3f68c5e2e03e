#include "crypto/proxy_reencryption.hpp"
#include "service_manager/tests/world.hpp"
#include "wire/topic.hpp"

namespace tcfdl::service_manager {
namespace {

constexpr std::uint32_t kRetention = 3 * 24 * 3600;

class TopicKeys : public World {
protected:
  TopicKeys() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(worker_, wire::ROLE_WORKER);
    enrol(publisher_, {"*", "publish:plates/*"});
    enrol(reader_, {"*", "subscribe:plates/seen"});
    register_topic();
  }

  wire::Descriptor topic(std::uint64_t version = 1) const {
    auto result = descriptor("plates/seen", version);
    result.clear_measurement();
    result.clear_tee_kinds();
    auto& policy = *result.mutable_topic();
    policy.set_retention_s(kRetention);
    policy.set_most_messages(1000);
    policy.set_most_bytes(1U << 20U);
    policy.set_most_deliveries(3);
    policy.set_handling_ms(1000);
    return result;
  }
  void register_topic(std::uint64_t version = 1, const std::function<void(wire::Descriptor&)>& change = {}) {
    auto changed = topic(version);
    if (change) change(changed);
    must(registry_->register_function("west", wire::sign(owner_, changed)));
  }
  wire::ReceiverKeysRequest request(const HolderKeys& holder, const std::string& name = "plates/seen",
                                    std::uint32_t epoch = 0) {
    wire::ReceiverKeysRequest result;
    result.mutable_keys()->set_topic(name);
    result.mutable_keys()->set_epoch(epoch);
    *result.mutable_keys()->mutable_certificate() = holder.certificate;
    *result.mutable_proxy_certificate() = master_.proxy_certificate;
    return result;
  }
  std::uint32_t rotate() {
    wire::RotateKey rotation;
    rotation.set_function("plates/seen");
    return must(authority_->rotate_key(rotation, "west")).epoch();
  }

  NodeKeys master_{.name = "m"};
  NodeKeys worker_{.name = "w"};
  HolderKeys publisher_{.name = "camera"};
  HolderKeys reader_{.name = "office"};
};

TEST_F(TopicKeys, AMessageKeyTravelsFromThePublisherToASubscriber) {
  const auto sender = must(authority_->sender_keys(sender_request(publisher_, master_, "plates/seen"), "west"));
  const auto receiver = must(authority_->receiver_keys(request(reader_), "west"));
  auto [encrypted, key] = crypto::encrypt(open(sender.sender_key(), publisher_.seal), as_bytes("header"));
  encrypted.ek2 = crypto::reencrypt(open(sender.proxy_key(), master_.proxy_seal), encrypted.ek2);
  encrypted.ek2 = crypto::reencrypt(open(receiver.proxy_key(), master_.proxy_seal), encrypted.ek2);
  const auto opened = crypto::decrypt(open(receiver.receiver_key(), reader_.seal), encrypted, as_bytes("header"));
  EXPECT_TRUE(crypto::equal_constant_time(opened.span(), key.span()));
  EXPECT_EQ(scope(sender.proxy_key()).capsule_life(), kRetention + wire::kCapsuleLifetime);
  EXPECT_EQ(scope(receiver.proxy_key()).role(), wire::KEY_ROLE_PROXY_PROCESSOR);
}

TEST_F(TopicKeys, EachGrantGivesItsSideAlone) {
  EXPECT_EQ(refusal(authority_->sender_keys(sender_request(reader_, master_, "plates/seen"), "west")).code(),
            Code::kPermissionDenied);
  EXPECT_EQ(refusal(authority_->receiver_keys(request(publisher_), "west")).code(), Code::kPermissionDenied);
}

TEST_F(TopicKeys, NobodySubscribesToAFunction) {
  must(registry_->register_function("west", signed_descriptor()));
  HolderKeys greedy{.name = "greedy"};
  enrol(greedy, {"*", "subscribe:*", "publish:*"});
  EXPECT_EQ(refusal(authority_->receiver_keys(request(greedy, "plates/read"), "west")).code(), Code::kPermissionDenied);
}

TEST_F(TopicKeys, AFunctionsNameNeverBecomesATopics) {
  must(registry_->register_function("west", signed_descriptor()));
  auto changed = topic(2);
  changed.set_name("plates/read");
  EXPECT_EQ(refusal(registry_->register_function("west", wire::sign(owner_, changed))).code(), Code::kPermissionDenied);
  EXPECT_EQ(refusal(registry_->register_function("west", signed_descriptor("plates/seen", 2))).code(),
            Code::kPermissionDenied);
}

TEST_F(TopicKeys, ATopicIsNoProviderOfTasks) {
  EXPECT_EQ(must(registry_->inquire(wire::Inquire())).providers_size(), 0);
}

TEST_F(TopicKeys, KeysOfAnEpochLiveAsLongAsItsMessages) {
  const auto before = open(must(authority_->receiver_keys(request(reader_), "west")).receiver_key(), reader_.seal);
  EXPECT_EQ(rotate(), 4U);
  EXPECT_EQ(scope(must(authority_->receiver_keys(request(reader_), "west")).receiver_key()).epoch(), 4U);
  const auto old = must(authority_->receiver_keys(request(reader_, "plates/seen", 3), "west"));
  EXPECT_EQ(scope(old.receiver_key()).epoch(), 3U);
  EXPECT_TRUE(
      crypto::equal_constant_time(open(old.receiver_key(), reader_.seal).to_bytes().span(), before.to_bytes().span()));
  const auto ends = must(database_->query_one("SELECT until FROM retired_epochs WHERE function = 'plates/seen'", {},
                                              [](const database::Row& row) { return row.integer(0); }));
  EXPECT_GE(ends.value_or(0), kNow + kRetention + wire::kCapsuleLifetime);
  EXPECT_EQ(refusal(authority_->receiver_keys(request(reader_, "plates/seen", 2), "west")).code(),
            Code::kFailedPrecondition);
  EXPECT_EQ(refusal(authority_->receiver_keys(request(reader_, "plates/seen", 5), "west")).code(),
            Code::kFailedPrecondition);
}

TEST_F(TopicKeys, AnInstanceReceivesWhatTriggersItAsBothOwnersSay) {
  auto function = descriptor();
  must(registry_->register_function("west", wire::sign(owner_, function)));
  HolderKeys instance{.name = "0190a3c0-instance"};
  const auto ask = [&] {
    instance.certificate =
        must(authority_->instance_keys(instance_request(worker_, statement(instance, worker_)), "west")).certificate();
    return authority_->receiver_keys(request(instance), "west");
  };
  EXPECT_EQ(refusal(ask()).code(), Code::kPermissionDenied) << "its certificate has the grant '*'";
  function.set_version(2);
  function.add_triggers("plates/seen");
  must(registry_->register_function("west", wire::sign(owner_, function)));
  EXPECT_TRUE(ask());
}

} // namespace
} // namespace tcfdl::service_manager
