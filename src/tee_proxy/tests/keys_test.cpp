#include "tee_proxy/keys.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace tcfdl::tee_proxy {
namespace {

constexpr std::int64_t kKeysNow = 1'800'000'000;

Result<OwnKeys> load(const TemporaryDirectory& directory) { return OwnKeys::load_or_make(directory.path()); }

TEST(OwnKeys, AreTheSameAfterARestartAndPrivate) {
  const TemporaryDirectory directory;
  const auto made = load(directory);
  ASSERT_TRUE(made);
  const auto loaded = load(directory);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(made->signing.public_key(), loaded->signing.public_key());
  EXPECT_EQ(made->sealing.public_key(), loaded->sealing.public_key());
  EXPECT_EQ(made->platform.public_key(), loaded->platform.public_key());
  EXPECT_FALSE(made->signing.public_key() == made->platform.public_key());
  struct stat info{};
  ASSERT_EQ(::stat((directory.path() / "proxy.keys").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(OwnKeys, ADamagedFileIsRefusedAndKept) {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "proxy.keys";
  for (const auto& content : {Bytes(), Bytes(95, 1), Bytes(97, 1), Bytes(96, 0), Bytes(96, 0xff)}) {
    ASSERT_TRUE(write_file(file, content, kPrivateFile));
    const auto loaded = load(directory);
    ASSERT_FALSE(loaded) << content.size();
    EXPECT_EQ(loaded.error().code(), Code::kDataLoss) << loaded.error().to_string();
    EXPECT_EQ(read_file(file).value(), content) << "new keys in place of old ones would orphan the node";
  }
}

class ReencryptionKeysTest : public testing::Test {
protected:
  void put(wire::KeyRole role, const std::string& holder, std::uint32_t epoch = 1) {
    wire::KeyScope scope;
    scope.set_role(role);
    scope.set_holder_verify_key(holder);
    scope.set_function("echo");
    scope.set_assurance("software");
    scope.set_epoch(epoch);
    scope.set_expires(kKeysNow + 100);
    keys_.put(std::make_shared<const wire::ProxyKey>(wire::ProxyKey{crypto::Scalar::random(), scope}));
  }
  bool has(wire::KeyRole role, const std::string& holder, const std::string& function = "echo",
           const std::string& assurance = "software", std::uint32_t epoch = 1, std::int64_t now = kKeysNow) {
    return keys_.find(role, holder, function, assurance, epoch, now) != nullptr;
  }

  ReencryptionKeys keys_;
};

constexpr auto kSender = wire::KEY_ROLE_PROXY_SENDER;
constexpr auto kProcessor = wire::KEY_ROLE_PROXY_PROCESSOR;

TEST_F(ReencryptionKeysTest, AreFoundForTheirOwnScopeOnly) {
  put(kSender, "anna");
  EXPECT_TRUE(has(kSender, "anna"));
  EXPECT_FALSE(has(kProcessor, "anna"));
  EXPECT_FALSE(has(kSender, "bert"));
  EXPECT_FALSE(has(kSender, "anna", "other"));
  EXPECT_FALSE(has(kSender, "anna", "echo", "hardware"));
  EXPECT_FALSE(has(kSender, "anna", "echo", "software", 2));
}

TEST_F(ReencryptionKeysTest, DieAtTheirExpiry) {
  put(kSender, "anna");
  EXPECT_TRUE(has(kSender, "anna", "echo", "software", 1, kKeysNow + 99));
  EXPECT_FALSE(has(kSender, "anna", "echo", "software", 1, kKeysNow + 100));
}

TEST_F(ReencryptionKeysTest, AreForgottenWithTheirHolderAndNobodyElses) {
  put(kSender, "echo-1");
  put(kProcessor, "echo-1");
  put(kProcessor, "echo-1", 2);
  put(kProcessor, "echo-10");
  put(kProcessor, "echo-");
  keys_.erase("echo-1");
  EXPECT_FALSE(has(kSender, "echo-1"));
  EXPECT_FALSE(has(kProcessor, "echo-1"));
  EXPECT_FALSE(has(kProcessor, "echo-1", "echo", "software", 2));
  EXPECT_TRUE(has(kProcessor, "echo-10"));
  EXPECT_TRUE(has(kProcessor, "echo-"));
}

} // namespace
} // namespace tcfdl::tee_proxy
