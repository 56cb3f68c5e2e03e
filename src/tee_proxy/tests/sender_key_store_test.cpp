#include "tee_proxy/sender_key_store.hpp"

#include "base/file.hpp"

#include <gmock/gmock.h>

namespace tcfdl::tee_proxy {
namespace {

const Destination kTo{"echo", "software"};

wire::SenderKeysReply keys_of(const std::string& holder, const Destination& to, std::int64_t expires = 100) {
  wire::KeyScope scope;
  scope.set_holder_verify_key(holder);
  scope.set_function(to.function);
  scope.set_assurance(to.assurance);
  scope.set_expires(expires);
  wire::SenderKeysReply granted;
  granted.mutable_proxy_key()->set_scope(scope.SerializeAsString());
  granted.mutable_sender_key()->set_sealed("for " + holder);
  return granted;
}

class SenderKeyStoreTest : public testing::Test {
protected:
  void SetUp() override { open(); }
  void open() { store_ = SenderKeyStore::open(path()).value(); }
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "keys"; }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(path()), std::filesystem::directory_iterator());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<SenderKeyStore> store_;
};

TEST_F(SenderKeyStoreTest, KeepsTheLastAnswerToEachHolderAndDestination) {
  ASSERT_TRUE(store_->put(keys_of("anna", kTo)));
  ASSERT_TRUE(store_->put(keys_of("bob", kTo)));
  ASSERT_TRUE(store_->put(keys_of("anna", {"echo", "hardware"})));
  ASSERT_TRUE(store_->put(keys_of("anna", kTo, 200)));
  EXPECT_EQ(files(), 3);
  open();
  EXPECT_EQ(store_->find("bob", kTo)->sender_key().sealed(), "for bob");
  EXPECT_EQ(store_->find("anna", kTo)->proxy_key().scope(), keys_of("anna", kTo, 200).proxy_key().scope());
  EXPECT_FALSE(store_->find("bob", {"echo", "hardware"}));
  EXPECT_FALSE(store_->find("carl", kTo));
}

TEST_F(SenderKeyStoreTest, RemovesFilesThatAreNoneOrOfAnotherName) {
  ASSERT_TRUE(store_->put(keys_of("anna", kTo)));
  const auto own = std::filesystem::directory_iterator(path())->path();
  std::filesystem::copy_file(own, path() / "copy");
  ASSERT_TRUE(write_file(path() / "rubbish", as_bytes("\xff\xff")));
  open();
  EXPECT_EQ(files(), 1);
  EXPECT_TRUE(store_->find("anna", kTo));
}

TEST_F(SenderKeyStoreTest, ForgetsWhatIsVoid) {
  ASSERT_TRUE(store_->put(keys_of("anna", kTo, 100)));
  ASSERT_TRUE(store_->put(keys_of("bob", kTo, 200)));
  store_->erase_if([](const wire::KeyScope& scope) { return scope.expires() <= 100; });
  EXPECT_FALSE(store_->find("anna", kTo));
  EXPECT_TRUE(store_->find("bob", kTo));
  EXPECT_EQ(files(), 1);
}

TEST_F(SenderKeyStoreTest, IsBoundedAndDropsWhatExpiresFirst) {
  for (int holder = 0; holder < 4097; ++holder) {
    ASSERT_TRUE(store_->put(keys_of(std::to_string(holder), kTo, holder == 7 ? 1 : 100)));
  }
  EXPECT_EQ(files(), 4096);
  EXPECT_FALSE(store_->find("7", kTo));
  EXPECT_TRUE(store_->find("0", kTo));
  EXPECT_TRUE(store_->find("4096", kTo));
}

} // namespace
} // namespace tcfdl::tee_proxy
