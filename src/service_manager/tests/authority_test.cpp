#include "service_manager/authority/authority.hpp"

#include "service_manager/tests/world.hpp"

#include <sys/stat.h>
#include <thread>

namespace tcfdl::service_manager {
namespace {

class Opening : public World {};

TEST_F(Opening, KeepsItsKeyOverRestarts) {
  const auto key = authority_->public_key();
  start();
  EXPECT_EQ(authority_->public_key(), key);
}

TEST_F(Opening, RefusesAReadableMissingOrForeignKeyFile) {
  const auto file = directory_.path() / "key";
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_THAT(refusal(open_authority()), Refuses(Code::kPermissionDenied, "chmod 600"));
  must(write_file(file, Bytes(16, 1), kPrivateFile));
  EXPECT_THAT(refusal(open_authority()), Refuses(Code::kFailedPrecondition, "restore the file"));
  std::filesystem::remove(file);
  EXPECT_THAT(refusal(open_authority()), Refuses(Code::kFailedPrecondition, "missing"));
  EXPECT_FALSE(std::filesystem::exists(file)) << "a new key file would hide the loss";
}

TEST_F(Opening, RefusesDamagedFunctionKeys) {
  const auto keys = must(authority::KeyStore::open(*database_, *log_, directory_.path() / "key"));
  must(keys->function_key({.function = "echo", .assurance = "software", .epoch = 1}));
  must(open_authority());
  must(database_->execute("UPDATE function_keys SET function = 'other'"));
  EXPECT_THAT(refusal(open_authority()), Refuses(Code::kFailedPrecondition, "function other"));
}

TEST_F(Opening, FunctionKeysDifferByFunctionClassAndEpochAndStay) {
  const auto keys = must(authority::KeyStore::open(*database_, *log_, directory_.path() / "key"));
  const auto key = [&](const std::string& function, const std::string& assurance, std::uint32_t epoch) {
    const auto bytes =
        must(keys->function_key({.function = function, .assurance = assurance, .epoch = epoch})).to_bytes();
    return Bytes(bytes.span().begin(), bytes.span().end());
  };
  const auto first = key("a", "software", 1);
  EXPECT_EQ(key("a", "software", 1), first);
  EXPECT_NE(key("b", "software", 1), first);
  EXPECT_NE(key("a", "hardware", 1), first);
  EXPECT_NE(key("a", "software", 2), first);
}

TEST_F(Opening, ThreadsAgreeOnANewFunctionKey) {
  const auto keys = must(authority::KeyStore::open(*database_, *log_, directory_.path() / "key"));
  std::array<Bytes, 4> made;
  {
    std::vector<std::jthread> threads;
    for (auto& bytes : made) {
      threads.emplace_back([&] {
        const auto key = must(keys->function_key({.function = "a", .assurance = "software", .epoch = 1})).to_bytes();
        bytes.assign(key.span().begin(), key.span().end());
      });
    }
  }
  EXPECT_THAT(made, testing::Each(made[0]));
}

TEST_F(Opening, SecretsAreSealedInTheDatabase) {
  const auto keys = must(authority::KeyStore::open(*database_, *log_, directory_.path() / "key"));
  const auto secret = keys->signing_key().private_bytes();
  std::string files;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
    files += as_text(must(read_file(entry.path())));
  EXPECT_EQ(files.find(as_text(secret.span())), std::string::npos);
}

} // namespace
} // namespace tcfdl::service_manager
