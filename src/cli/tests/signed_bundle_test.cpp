#include "cli/signed_bundle.hpp"

#include "base/file.hpp"
#include "wire/descriptor.hpp"

#include <gmock/gmock.h>

namespace tcfdl::cli {
namespace {

using testing::HasSubstr;

class SignedBundles : public testing::Test {
protected:
  SignedBundles() {
    std::filesystem::create_directories(source_);
    EXPECT_TRUE(write_file(source_ / "program", as_bytes("abc")));
    EXPECT_TRUE(write_file(source_ / "model", as_bytes("weights")));
    const auto parsed = parse_function_file("name: plates/read\nversion: 4\ncommand: [bin/a]\n"
                                            "files:\n  - {source: program, path: bin/a}\n  - {source: model}\n"
                                            "  - {source: program, path: copy}\n"
                                            "scale: {min: 2, max: 3}\nresources: {memory: 64MiB}\nproviders: [west]\n",
                                            {source_ / "f.yaml", {}});
    EXPECT_TRUE(parsed) << parsed.error().to_string();
    const auto made = sign_function(*parsed, owner_, [this] { return seal_key(); });
    EXPECT_TRUE(made) << made.error().to_string();
    EXPECT_TRUE(write_signed(*made, signed_));
  }
  Result<Bytes> seal_key() const {
    const auto bytes = authority_.public_key().bytes();
    return Bytes(bytes.begin(), bytes.end());
  }
  Error refusal() const {
    const auto read = read_signed(signed_);
    EXPECT_FALSE(read);
    return read ? Error(Code::kUnknown, "") : read.error();
  }

  TemporaryDirectory directory_;
  std::filesystem::path source_ = directory_.path() / "source";
  std::filesystem::path signed_ = directory_.path() / "signed";
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  crypto::HpkePrivateKey authority_ = crypto::HpkePrivateKey::generate();
};

TEST_F(SignedBundles, NeedNothingOfTheirSource) {
  std::filesystem::remove_all(source_);
  const auto read = read_signed(signed_);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->function.descriptor.name(), "plates/read");
  EXPECT_EQ(read->function.descriptor.version(), 4U);
  EXPECT_EQ(read->function.descriptor.owner_key(), wire::field(owner_.public_key().bytes()));
  EXPECT_EQ(read->function.descriptor.providers(0), "west");
  EXPECT_THAT(read->function.settings, HasSubstr("64MiB"));
  ASSERT_EQ(read->blobs.size(), 2U) << "each content once";
  for (const auto& blob : read->blobs) EXPECT_EQ(std::filesystem::file_size(blob.source), blob.size);
}

TEST_F(SignedBundles, EveryChangedByteIsNoticed) {
  const auto original = read_text_file(signed_ / "function.json").value();
  // A change of the descriptor or the manifest breaks signature, measurement or form; settings are the deployer's.
  const auto end = original.find("\"settings\"");
  ASSERT_NE(end, std::string::npos);
  for (std::size_t at = 0; at < end; at += 7) {
    auto changed = original;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    ASSERT_TRUE(write_file(signed_ / "function.json", as_bytes(changed)));
    EXPECT_FALSE(read_signed(signed_)) << at;
  }
  ASSERT_TRUE(write_file(signed_ / "function.json", as_bytes(original)));
  ASSERT_TRUE(read_signed(signed_));
  for (const auto& entry : std::filesystem::directory_iterator(signed_ / "files")) {
    const auto content = read_text_file(entry.path()).value();
    ASSERT_TRUE(write_file(entry.path(), as_bytes("x" + content.substr(1))));
    EXPECT_EQ(refusal().code(), Code::kDataLoss);
    EXPECT_THAT(refusal().message(), HasSubstr("is not the file that was signed"));
    std::filesystem::remove(entry.path());
    EXPECT_EQ(refusal().code(), Code::kNotFound);
    ASSERT_TRUE(write_file(entry.path(), as_bytes(content)));
  }
  EXPECT_TRUE(read_signed(signed_));
}

TEST_F(SignedBundles, CarryConfidentialFilesEncryptedAndTheirKeySealed) {
  const auto parsed = parse_function_file("name: plates/read\nversion: 5\ncommand: [bin/a]\nfiles:\n"
                                          "  - {source: program, path: bin/a}\n"
                                          "  - {source: model, path: m/model, confidential: true}\n",
                                          {source_ / "f.yaml", {}});
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  const auto made = sign_function(*parsed, owner_, [this] { return seal_key(); });
  ASSERT_TRUE(made) << made.error().to_string();
  const auto target = directory_.path() / "confidential";
  ASSERT_TRUE(write_signed(*made, target));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(target)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_text_file(entry.path())->find("weights"), std::string::npos) << entry.path();
  }
  const auto read = read_signed(target);
  ASSERT_TRUE(read) << read.error().to_string();
  ASSERT_TRUE(read->function.content_key);
  EXPECT_TRUE(wire::open_content_key(authority_, *read->function.content_key, read->function.descriptor));

  const auto unreachable =
      sign_function(*parsed, owner_, []() -> Result<Bytes> { return Error(Code::kUnavailable, "nobody answers"); });
  ASSERT_FALSE(unreachable);
  EXPECT_EQ(unreachable.error().code(), Code::kUnavailable);
}

TEST_F(SignedBundles, AreNotWrittenOverOthers) {
  const auto read = read_signed(signed_);
  ASSERT_TRUE(read);
  const auto again = write_signed(*read, signed_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::kAlreadyExists);
  EXPECT_TRUE(write_signed(*read, directory_.path() / "second"));
  EXPECT_TRUE(read_signed(directory_.path() / "second"));
}

TEST_F(SignedBundles, AMissingDocumentIsNamed) {
  std::filesystem::remove(signed_ / "function.json");
  EXPECT_EQ(refusal().code(), Code::kNotFound);
  EXPECT_THAT(refusal().message(), HasSubstr("function.json"));
}

} // namespace
} // namespace tcfdl::cli
