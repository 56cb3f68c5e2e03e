#include "service_manager/authority/vault.hpp"

#include "service_manager/tests/world.hpp"

#include <sys/stat.h>

namespace tcfdl::service_manager::authority {
namespace {

class VaultTest : public testing::Test {
protected:
  TemporaryDirectory directory_;
  std::filesystem::path key_ = directory_.path() / "key";
};

TEST_F(VaultTest, OpensWhatItSealedUnderThatNameOnly) {
  const auto vault = must(Vault::open(key_, true));
  const auto sealed = must(vault.seal("a", as_bytes("secret")));
  EXPECT_EQ(as_text(must(vault.open_sealed("a", sealed)).span()), "secret");
  EXPECT_THAT(refusal(vault.open_sealed("b", sealed)), Refuses(Code::kFailedPrecondition, "restore"));
  EXPECT_NE(must(vault.seal("a", as_bytes("secret"))), sealed);
  auto changed = sealed;
  changed.back() ^= 1;
  EXPECT_FALSE(vault.open_sealed("a", changed));
  EXPECT_FALSE(vault.open_sealed("a", BytesView(sealed).first(5)));
  EXPECT_EQ(as_text(must(must(Vault::open(key_, false)).open_sealed("a", sealed)).span()), "secret");
}

TEST_F(VaultTest, MakesAPrivateKeyFileOnlyWhereItMay) {
  EXPECT_THAT(refusal(Vault::open(key_, false)), Refuses(Code::kFailedPrecondition, "missing"));
  must(Vault::open(key_, true));
  struct stat status{};
  ASSERT_EQ(::stat(key_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(VaultTest, RefusesFilesThatOthersCanReadLinksAndOtherSizes) {
  must(Vault::open(key_, true));
  for (const auto mode : {0640U, 0604U, 0620U}) {
    ASSERT_EQ(::chmod(key_.c_str(), mode), 0);
    EXPECT_THAT(refusal(Vault::open(key_, true)), Refuses(Code::kFailedPrecondition, "chmod 600"));
  }
  ASSERT_EQ(::chmod(key_.c_str(), 0600), 0);
  const auto link = directory_.path() / "link";
  std::filesystem::create_symlink(key_, link);
  EXPECT_FALSE(Vault::open(link, true));
  must(write_file(key_, as_bytes("short"), kPrivateFile));
  EXPECT_THAT(refusal(Vault::open(key_, true)), Refuses(Code::kFailedPrecondition, "bytes"));
}

} // namespace
} // namespace tcfdl::service_manager::authority
