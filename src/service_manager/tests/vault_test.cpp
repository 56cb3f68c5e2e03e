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
    EXPECT_THAT(refusal(Vault::open(key_, true)), Refuses(Code::kPermissionDenied, "chmod 600"));
  }
  ASSERT_EQ(::chmod(key_.c_str(), 0600), 0);
  const auto link = directory_.path() / "link";
  std::filesystem::create_symlink(key_, link);
  EXPECT_FALSE(Vault::open(link, true));
  must(write_file(key_, as_bytes("short"), kPrivateFile));
  EXPECT_THAT(refusal(Vault::open(key_, true)), Refuses(Code::kFailedPrecondition, "bytes"));
}

class SealedVaultTest : public VaultTest {
protected:
  void SetUp() override { write_passphrase("correct horse battery"); }
  void write_passphrase(std::string_view text) { must(write_file(passphrase_, as_bytes(text), kPrivateFile)); }

  std::filesystem::path passphrase_ = directory_.path() / "passphrase";
  KeyFile sealed_{key_, passphrase_};
};

TEST_F(SealedVaultTest, OpensWithItsPassphraseAlone) {
  const auto sealed = must(must(Vault::open(sealed_, true)).seal("a", as_bytes("secret")));
  EXPECT_EQ(std::filesystem::file_size(key_), 70U);
  write_passphrase("correct horse battery\n");
  EXPECT_EQ(as_text(must(must(Vault::open(sealed_, false)).open_sealed("a", sealed)).span()), "secret");
  write_passphrase("correct horse batterY");
  EXPECT_THAT(refusal(Vault::open(sealed_, false)), Refuses(Code::kUnauthenticated, "passphrase"));
  EXPECT_THAT(refusal(Vault::open(key_, false)), Refuses(Code::kFailedPrecondition, "passphrase_file"));
}

TEST_F(SealedVaultTest, TakesOverAKeyFileThatWasOpenBefore) {
  const auto sealed = must(must(Vault::open(key_, true)).seal("a", as_bytes("secret")));
  const auto key = must(read_file(key_));
  must(Vault::open(sealed_, false));
  const auto file = must(read_file(key_));
  EXPECT_EQ(file.size(), 70U);
  EXPECT_EQ(std::ranges::search(file, key).begin(), file.end()) << "the key is not in the file any more";
  EXPECT_EQ(as_text(must(must(Vault::open(sealed_, false)).open_sealed("a", sealed)).span()), "secret");
}

TEST_F(SealedVaultTest, RefusesEveryChangedPart) {
  must(Vault::open(sealed_, true));
  const auto file = must(read_file(key_));
  for (const std::size_t at : {0UL, 8UL, 9UL, 10UL, 26UL, 38UL, 69UL}) {
    auto changed = file;
    changed[at] ^= 0x1FU;
    must(write_file(key_, changed, kPrivateFile));
    EXPECT_FALSE(Vault::open(sealed_, false)) << at;
  }
  must(write_file(key_, file, kPrivateFile));
  must(Vault::open(sealed_, false));
}

TEST_F(SealedVaultTest, RefusesPassphrasesThatAreShortOrOpenToOthers) {
  write_passphrase("short\n");
  EXPECT_THAT(refusal(Vault::open(sealed_, true)), Refuses(Code::kInvalidArgument, "12 bytes"));
  EXPECT_FALSE(std::filesystem::exists(key_));
  write_passphrase("correct horse battery");
  ASSERT_EQ(::chmod(passphrase_.c_str(), 0644), 0);
  EXPECT_THAT(refusal(Vault::open(sealed_, true)), Refuses(Code::kPermissionDenied, "chmod 600"));
}

/// An enclave is a tree of files, as Gramine shows it.
class EnclaveVaultTest : public VaultTest {
protected:
  void SetUp() override {
    std::filesystem::create_directories(root_ / "keys");
    put("_sgx_mrenclave", Bytes(16, 1));
    put("_sgx_mrsigner", Bytes(16, 2));
  }
  void put(const std::string& name, const Bytes& key) { must(write_file(root_ / "keys" / name, key)); }

  std::filesystem::path root_ = directory_.path() / "attestation";
  KeyFile enclave_{key_, {}, EnclaveKey{root_, EnclaveKey::Holder::kEnclave}};
  KeyFile signer_{key_, {}, EnclaveKey{root_, EnclaveKey::Holder::kSigner}};
};

TEST_F(EnclaveVaultTest, OpensInTheSameEnclaveOnly) {
  const auto sealed = must(must(Vault::open(enclave_, true)).seal("a", as_bytes("secret")));
  EXPECT_EQ(std::filesystem::file_size(key_), 70U);
  EXPECT_EQ(as_text(must(must(Vault::open(enclave_, false)).open_sealed("a", sealed)).span()), "secret");
  put("_sgx_mrenclave", Bytes(16, 3));
  EXPECT_THAT(refusal(Vault::open(enclave_, false)), Refuses(Code::kUnauthenticated, "another measurement"));
  put("_sgx_mrenclave", Bytes(16, 1));
  must(Vault::open(enclave_, false));
}

TEST_F(EnclaveVaultTest, TheSignersKeyOpensInTheNextVersionToo) {
  const auto sealed = must(must(Vault::open(signer_, true)).seal("a", as_bytes("secret")));
  put("_sgx_mrenclave", Bytes(16, 3));
  EXPECT_EQ(as_text(must(must(Vault::open(signer_, false)).open_sealed("a", sealed)).span()), "secret");
}

TEST_F(EnclaveVaultTest, NothingElseTakesItsPlace) {
  must(Vault::open(enclave_, true));
  const auto passphrase = directory_.path() / "passphrase";
  must(write_file(passphrase, as_bytes("correct horse battery"), kPrivateFile));
  EXPECT_THAT(refusal(Vault::open(key_, false)), Refuses(Code::kFailedPrecondition, "enclave_key"));
  EXPECT_THAT(refusal(Vault::open({key_, passphrase}, false)), Refuses(Code::kFailedPrecondition, "enclave_key"));
  EXPECT_THAT(refusal(Vault::open(signer_, false)), Refuses(Code::kFailedPrecondition, "_sgx_mrsigner"));
  std::filesystem::remove_all(root_);
  EXPECT_THAT(refusal(Vault::open(enclave_, false)), Refuses(Code::kFailedPrecondition, "gramine-sgx"));
}

TEST_F(EnclaveVaultTest, AKeyFileUnderAPassphraseIsNotTakenOver) {
  const auto passphrase = directory_.path() / "passphrase";
  must(write_file(passphrase, as_bytes("correct horse battery"), kPrivateFile));
  must(Vault::open({key_, passphrase}, true));
  EXPECT_THAT(refusal(Vault::open(enclave_, false)), Refuses(Code::kFailedPrecondition, "passphrase_file"));
}

TEST_F(EnclaveVaultTest, NoFileIsMadeWithoutTheEnclavesKey) {
  std::filesystem::remove_all(root_);
  EXPECT_THAT(refusal(Vault::open(enclave_, true)), Refuses(Code::kFailedPrecondition, "gramine-sgx"));
  EXPECT_FALSE(std::filesystem::exists(key_));
}

TEST_F(EnclaveVaultTest, TakesOverAKeyFileThatWasOpenBefore) {
  const auto sealed = must(must(Vault::open(key_, true)).seal("a", as_bytes("secret")));
  const auto key = must(read_file(key_));
  must(Vault::open(enclave_, false));
  const auto file = must(read_file(key_));
  EXPECT_EQ(std::ranges::search(file, key).begin(), file.end()) << "the key is not in the file any more";
  EXPECT_EQ(as_text(must(must(Vault::open(enclave_, false)).open_sealed("a", sealed)).span()), "secret");
}

TEST_F(EnclaveVaultTest, RefusesEveryChangedPartAndKeysOfAnotherSize) {
  must(Vault::open(enclave_, true));
  const auto file = must(read_file(key_));
  for (const std::size_t at : {0UL, 8UL, 9UL, 10UL, 26UL, 38UL, 69UL}) {
    auto changed = file;
    changed[at] ^= 0x03U;
    must(write_file(key_, changed, kPrivateFile));
    EXPECT_FALSE(Vault::open(enclave_, false)) << at;
  }
  must(write_file(key_, file, kPrivateFile));
  for (const std::size_t size : {0U, 15U, 17U}) {
    put("_sgx_mrenclave", Bytes(size, 1));
    EXPECT_FALSE(Vault::open(enclave_, false)) << size;
  }
}

} // namespace
} // namespace tcfdl::service_manager::authority
