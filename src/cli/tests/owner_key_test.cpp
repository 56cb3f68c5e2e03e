#include "cli/owner_key.hpp"

#include "base/file.hpp"

#include <cstdlib>
#include <gmock/gmock.h>

namespace tcfdl::cli {
namespace {

using testing::HasSubstr;

class OwnerKeys : public testing::Test {
protected:
  OwnerKeys() { ::setenv("TCFDL_CONTEXT_DIR", (directory_.path() / "contexts").c_str(), 1); }
  ~OwnerKeys() override { ::unsetenv("TCFDL_CONTEXT_DIR"); }
  Error refusal() const {
    const auto key = read_owner_key(file_);
    EXPECT_FALSE(key);
    return key ? Error(Code::kUnknown, "") : key.error();
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "key";
};

TEST_F(OwnerKeys, AreMadeForTheirOwnerOnlyAndReadBack) {
  const auto made = create_owner_key(file_);
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(std::filesystem::status(file_).permissions(), std::filesystem::perms(0600));
  const auto read = read_owner_key(file_);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->public_key(), made->public_key());
}

TEST_F(OwnerKeys, AreNeverOverwritten) {
  const auto made = create_owner_key(file_);
  ASSERT_TRUE(made);
  const auto again = create_owner_key(file_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::kAlreadyExists);
  EXPECT_EQ(read_owner_key(file_)->public_key(), made->public_key());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1) << "nothing is left over";
  EXPECT_FALSE(create_owner_key(directory_.path() / "no" / "key"));
}

TEST_F(OwnerKeys, ThatOthersCouldReadAreRefused) {
  ASSERT_TRUE(create_owner_key(file_));
  std::filesystem::permissions(file_, std::filesystem::perms(0640));
  EXPECT_EQ(refusal().code(), Code::kPermissionDenied);
  EXPECT_THAT(refusal().message(), HasSubstr("chmod 600"));
}

TEST_F(OwnerKeys, DamagedOnesAreRefused) {
  EXPECT_EQ(refusal().code(), Code::kNotFound);
  ASSERT_TRUE(create_owner_key(file_));
  const auto text = read_text_file(file_).value();
  const auto other = [&] {
    (void)create_owner_key(directory_.path() / "other");
    return read_text_file(directory_.path() / "other").value();
  }();
  const auto from_public = text.find("\"public_key\"");
  for (const auto& bad : {std::string(), text.substr(0, 40), text + "x",
                          text.substr(0, from_public) + other.substr(other.find("\"public_key\"")),
                          std::string(R"({"format": "tcfdl-owner-key-2", "private_key": "", "public_key": ""})")}) {
    ASSERT_TRUE(write_file(file_, as_bytes(bad), kPrivateFile));
    EXPECT_EQ(refusal().code(), Code::kDataLoss) << bad;
  }
}

TEST_F(OwnerKeys, TheDefaultOneIsMadeOnceAndSaidSo) {
  testing::internal::CaptureStderr();
  const auto made = choose_owner_key("");
  const auto said = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_THAT(said, HasSubstr(default_owner_key().string()));
  EXPECT_THAT(said, HasSubstr("Keep a copy"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(choose_owner_key("")->public_key(), made->public_key());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(choose_owner_key(file_.string())) << "a named one is never made";
}

} // namespace
} // namespace tcfdl::cli
