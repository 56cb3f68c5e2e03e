#include "wire/confidential.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/random.hpp"
#include "wire/signed.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using testing::HasSubstr;

constexpr std::size_t kSegment = crypto::kSegmentSize;
constexpr std::size_t kSealedSegment = crypto::kSealedSegmentSize;

class Confidential : public testing::Test {
protected:
  ManifestFile encrypt(BytesView content) {
    EXPECT_TRUE(write_file(directory_.path() / "source", content));
    std::filesystem::remove(directory_.path() / "sealed");
    const auto entry = encrypt_file(key_, place_, directory_.path() / "source", directory_.path() / "sealed");
    EXPECT_TRUE(entry);
    sealed_ = read_file(directory_.path() / "sealed").value();
    return entry.value();
  }
  /// What opens, or why nothing does.
  Result<Bytes> open(const Plaintext& wanted, const ContentKey& key, const ContentPlace& place) {
    const auto path = directory_.path() / "changed";
    TCFDL_TRY(write_file(path, sealed_));
    const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto opened = directory_.path() / "opened";
    const UniqueFd to(::open(opened.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    TCFDL_TRY(decrypt_file(key, place, wanted, from.get(), to.get()));
    return read_file(opened);
  }
  Result<Bytes> open(const ManifestFile& entry) { return open(*entry.confidential, key_, place_); }
  Error refusal(const Result<Bytes>& opened) {
    EXPECT_FALSE(opened);
    return opened ? Error(Code::kUnknown, "") : opened.error();
  }

  TemporaryDirectory directory_;
  ContentKey key_ = crypto::random_secret<crypto::kAeadKeySize>();
  ContentPlace place_{"plates/read", "models/plates.onnx"};
  Bytes sealed_;
};

TEST_F(Confidential, FilesOfEverySizeComeBack) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSegment - 1, kSegment, kSegment + 1, 3 * kSegment}) {
    Bytes content(size);
    crypto::random_bytes(content);
    const auto entry = encrypt(content);
    EXPECT_EQ(entry.path, place_.path);
    EXPECT_EQ(entry.size, sealed_.size());
    EXPECT_EQ(entry.size, encrypted_size(size));
    EXPECT_EQ(entry.sha256, to_hex(crypto::sha256(sealed_)));
    ASSERT_TRUE(entry.confidential);
    EXPECT_EQ(entry.confidential->size, size);
    const auto opened = open(entry);
    ASSERT_TRUE(opened) << size << ": " << opened.error().to_string();
    EXPECT_EQ(*opened, content);
  }
}

TEST_F(Confidential, NothingOfTheContentIsInFileOrManifest) {
  const std::string content = "the marker of a secret model";
  const auto entry = encrypt(as_bytes(content));
  EXPECT_EQ(as_text(sealed_).find("marker"), std::string::npos);
  EXPECT_NE(entry.confidential->digest, to_hex(crypto::sha256(as_bytes(content)))) << "guesses could be tried out";
  const auto again = encrypt(as_bytes(content));
  EXPECT_NE(again.sha256, entry.sha256);
  EXPECT_NE(again.confidential->digest, entry.confidential->digest);
}

TEST_F(Confidential, WhatWasChangedDoesNotOpen) {
  const auto entry = encrypt(Bytes(3 * kSegment, 'x'));
  const auto intact = sealed_;
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{8}, kConfidentialHead, kConfidentialHead + kSealedSegment, intact.size() - 1}) {
    sealed_ = intact;
    sealed_[at] ^= 1U;
    EXPECT_EQ(refusal(open(entry)).code(), Code::kUnauthenticated) << at;
  }
}

TEST_F(Confidential, WhatWasCutOrExtendedDoesNotOpen) {
  const auto entry = encrypt(Bytes(2 * kSegment, 'x'));
  const auto intact = sealed_;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{20}, kConfidentialHead, kConfidentialHead + kSealedSegment, intact.size() - 1}) {
    sealed_.assign(intact.begin(), intact.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(refusal(open(entry)).code(), Code::kUnauthenticated) << size;
  }
  sealed_ = intact;
  sealed_.push_back(0);
  EXPECT_THAT(refusal(open(entry)).message(), HasSubstr("something follows it"));
  // As if the manifest said so, too: whole segments less.
  sealed_.assign(intact.begin(), intact.begin() + kConfidentialHead + kSealedSegment);
  EXPECT_EQ(refusal(open({.digest = entry.confidential->digest, .size = kSegment}, key_, place_)).code(),
            Code::kUnauthenticated);
}

TEST_F(Confidential, WhatWasReorderedDoesNotOpen) {
  const auto entry = encrypt(Bytes(3 * kSegment, 'x'));
  const auto first = sealed_.begin() + kConfidentialHead;
  std::swap_ranges(first, first + kSealedSegment, first + kSealedSegment);
  EXPECT_EQ(refusal(open(entry)).code(), Code::kUnauthenticated);
}

TEST_F(Confidential, AnotherKeyFunctionPathOrDigestDoesNotOpen) {
  const auto entry = encrypt(as_bytes("model"));
  const auto& wanted = *entry.confidential;
  EXPECT_TRUE(open(wanted, key_, place_));
  EXPECT_EQ(refusal(open(wanted, crypto::random_secret<crypto::kAeadKeySize>(), place_)).code(),
            Code::kUnauthenticated);
  EXPECT_EQ(refusal(open(wanted, key_, {"plates/write", place_.path})).code(), Code::kUnauthenticated);
  EXPECT_EQ(refusal(open(wanted, key_, {place_.function, "models/other.onnx"})).code(), Code::kUnauthenticated);
  EXPECT_EQ(refusal(open({.digest = std::string(64, '0'), .size = wanted.size}, key_, place_)).code(), Code::kDataLoss);
}

class ContentKeys : public testing::Test {
protected:
  ContentKeys() {
    descriptor_.set_name("plates/read");
    descriptor_.set_version(3);
    descriptor_.set_owner_key(field(owner_.public_key().bytes()));
    descriptor_.set_measurement(std::string(32, 'm'));
    package_ = seal_content_key(owner_, descriptor_, authority_.public_key().bytes(), key_).value();
  }
  Code refusal(const Descriptor& descriptor) const {
    const auto opened = open_content_key(authority_, package_, descriptor);
    EXPECT_FALSE(opened);
    return opened ? Code::kUnknown : opened.error().code();
  }

  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  crypto::HpkePrivateKey authority_ = crypto::HpkePrivateKey::generate();
  ContentKey key_ = crypto::random_secret<crypto::kAeadKeySize>();
  Descriptor descriptor_;
  KeyPackage package_;
};

TEST_F(ContentKeys, OpenAtTheAuthorityAlone) {
  const auto opened = open_content_key(authority_, package_, descriptor_);
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE(crypto::equal_constant_time(opened->span(), key_.span()));
  EXPECT_FALSE(open_content_key(crypto::HpkePrivateKey::generate(), package_, descriptor_));
}

TEST_F(ContentKeys, AreForOneOwnerFunctionVersionAndMeasurement) {
  auto other = descriptor_;
  other.set_owner_key(field(crypto::SigningKey::generate().public_key().bytes()));
  EXPECT_EQ(refusal(other), Code::kUnauthenticated);
  other = descriptor_;
  other.set_name("plates/write");
  EXPECT_EQ(refusal(other), Code::kPermissionDenied);
  other = descriptor_;
  other.set_version(4);
  EXPECT_EQ(refusal(other), Code::kPermissionDenied);
  other = descriptor_;
  other.set_measurement(std::string(32, 'n'));
  EXPECT_EQ(refusal(other), Code::kPermissionDenied);
}

TEST_F(ContentKeys, WhoPassesThemOnCannotChangeThem) {
  auto scope = parse<KeyScope>(package_.scope()).value();
  scope.set_measurement(std::string(32, 'n'));
  package_.set_scope(scope.SerializeAsString());
  EXPECT_EQ(refusal(descriptor_), Code::kUnauthenticated);
}

} // namespace
} // namespace tcfdl::wire
