#include "tee_proxy/slots.hpp"

#include "base/file.hpp"
#include "wire/signed.hpp"

#include <gmock/gmock.h>

namespace tcfdl::tee_proxy {
namespace {

const SlotKind kEcho{"echo", "", to_bytes("measured"), {"seccomp"}};

/// What a proxy would store for these keys; a test bends it.
wire::StoredSlot stored_slot(const std::string& instance, const crypto::SigningKey& signing,
                             const crypto::HpkePrivateKey& sealing, const std::string& subject) {
  const auto signer = crypto::SigningKey::generate();
  wire::InstanceStatement statement;
  statement.set_instance(instance);
  statement.set_function(kEcho.function);
  statement.set_measurement(wire::field(kEcho.measurement));
  statement.add_layers(kEcho.layers[0]);
  wire::Certificate certificate;
  certificate.set_subject(subject);
  certificate.set_verify_key(wire::field(signing.public_key().bytes()));
  certificate.set_seal_key(wire::field(sealing.public_key().bytes()));
  certificate.set_issued(100);
  certificate.set_expires(200);
  wire::Descriptor descriptor;
  descriptor.set_name(kEcho.function);
  descriptor.set_version(7);
  wire::StoredSlot stored;
  *stored.mutable_statement() = wire::sign(signer, statement);
  *stored.mutable_granted()->mutable_certificate() = wire::sign(signer, certificate);
  *stored.mutable_granted()->mutable_descriptor() = wire::sign(signer, descriptor);
  return stored;
}

Slot slot_of(const std::string& instance) {
  auto signing = crypto::SigningKey::generate();
  auto sealing = crypto::HpkePrivateKey::generate();
  auto stored = stored_slot(instance, signing, sealing, instance);
  return make_slot(std::move(signing), std::move(sealing), std::move(stored)).value();
}

class SlotsTest : public testing::Test {
protected:
  void open() { slots_ = Slots::open(path()).value(); }
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "slots"; }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(path()), std::filesystem::directory_iterator());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Slots> slots_;
};

TEST_F(SlotsTest, AreTakenOnceByTheirNameAndKind) {
  open();
  ASSERT_TRUE(slots_->add(slot_of("echo-1")));
  auto other = kEcho;
  other.measurement = to_bytes("changed");
  EXPECT_EQ(slots_->take("echo-1", other), nullptr);
  other = kEcho;
  other.layers.clear();
  EXPECT_EQ(slots_->take("echo-1", other), nullptr);
  EXPECT_EQ(slots_->take("echo-2", kEcho), nullptr);
  EXPECT_NE(slots_->take("echo-1", kEcho), nullptr);
  EXPECT_EQ(slots_->take("echo-1", kEcho), nullptr);
  EXPECT_EQ(files(), 0);
}

TEST_F(SlotsTest, OutliveTheProxyWithTheirKeys) {
  open();
  const auto made = slot_of("echo-1");
  const auto key = made.signing.public_key().bytes();
  const auto seal = made.sealing.public_key().bytes();
  ASSERT_TRUE(slots_->add(slot_of("echo-2")));
  auto stored = made.stored;
  ASSERT_TRUE(slots_->add(make_slot(crypto::SigningKey::from_private_bytes(made.signing.private_bytes().span()).value(),
                                    crypto::HpkePrivateKey::from_bytes(made.sealing.private_bytes().span()).value(),
                                    std::move(stored))
                              .value()));
  open();
  EXPECT_EQ(slots_->all().size(), 2U);
  const auto taken = slots_->take("echo-1", kEcho);
  ASSERT_NE(taken, nullptr);
  EXPECT_TRUE(std::ranges::equal(taken->signing.public_key().bytes(), key));
  EXPECT_TRUE(std::ranges::equal(taken->sealing.public_key().bytes(), seal));
  EXPECT_EQ(taken->version, 7U);
  EXPECT_EQ(taken->lifetime.expires, 200);
  struct stat info{};
  ASSERT_EQ(::stat((path() / "echo-2").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  open();
  EXPECT_EQ(slots_->all().size(), 1U) << "what was taken does not come back";
}

TEST_F(SlotsTest, LeaveOutWhatIsDamagedOrOfAnotherName) {
  open();
  ASSERT_TRUE(slots_->add(slot_of("echo-1")));
  ASSERT_TRUE(slots_->add(slot_of("echo-2")));
  ASSERT_TRUE(slots_->add(slot_of("echo-3")));
  std::filesystem::rename(path() / "echo-1", path() / "echo-9");
  std::filesystem::resize_file(path() / "echo-2", 40);
  ASSERT_TRUE(write_file(path() / "echo-4", Bytes(300, 0xFF)));
  open();
  ASSERT_EQ(slots_->all().size(), 1U);
  EXPECT_EQ(slots_->all()[0]->instance, "echo-3");
  EXPECT_EQ(files(), 1);
}

TEST_F(SlotsTest, AreForgottenWhenTheyAreVoid) {
  open();
  ASSERT_TRUE(slots_->add(slot_of("echo-1")));
  ASSERT_TRUE(slots_->add(slot_of("echo-2")));
  EXPECT_EQ(slots_->erase_if([](const Slot& slot) { return slot.instance == "echo-1"; }), 1U);
  EXPECT_EQ(slots_->all().size(), 1U);
  EXPECT_EQ(files(), 1);
}

TEST(MakeSlot, RefusesWhatIsNotOfOneInstance) {
  const auto refused = [](const std::string& subject, bool own_key) {
    auto signing = crypto::SigningKey::generate();
    auto sealing = crypto::HpkePrivateKey::generate();
    const auto another = crypto::SigningKey::generate();
    auto stored = stored_slot("echo-1", own_key ? signing : another, sealing, subject);
    return !make_slot(std::move(signing), std::move(sealing), std::move(stored));
  };
  EXPECT_FALSE(refused("echo-1", true));
  EXPECT_TRUE(refused("echo-2", true));
  EXPECT_TRUE(refused("echo-1", false));
}

} // namespace
} // namespace tcfdl::tee_proxy
