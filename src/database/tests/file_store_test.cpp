#include "database/file_store.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace tcfdl::database {
namespace {

/// Any function of the content will do here.
std::string weak_digest(BytesView content) {
  const auto hash = std::hash<std::string_view>()(as_text(content));
  return fmt::format("{:016x}{:016x}", hash, ~hash);
}

class FixedClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return 1234; }
};

class FileStoreTest : public testing::Test {
protected:
  void SetUp() override {
    database_ = Database::open(directory_.path() / "state.db").value();
    store_ = FileStore::open(*database_, clock_, {directory_.path() / "files", weak_digest, 1000}).value();
  }

  TemporaryDirectory directory_;
  FixedClock clock_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<FileStore> store_;
};

TEST_F(FileStoreTest, ReturnsWhatItStoredUnderItsDigest) {
  const auto digest = store_->put(as_bytes("content"));
  ASSERT_TRUE(digest) << digest.error().to_string();
  EXPECT_EQ(*digest, weak_digest(as_bytes("content")));
  EXPECT_EQ(store_->get(*digest).value(), to_bytes("content"));
  EXPECT_TRUE(store_->contains(*digest).value());
  const auto path = store_->path_of(*digest).value();
  EXPECT_EQ(path, directory_.path() / "files" / digest->substr(0, 2) / digest->substr(2));
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const auto files = store_->list().value();
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].size, 7);
  EXPECT_EQ(files[0].created, 1234);
}

TEST_F(FileStoreTest, RefusesDamagedAndLostContentAndRepairsIt) {
  const auto digest = store_->put(as_bytes("content")).value();
  const auto path = store_->path_of(digest).value();
  for (const auto* damage : {"CONTENT", "content and more", ""}) {
    ASSERT_TRUE(write_file(path, as_bytes(damage)));
    const auto got = store_->get(digest);
    ASSERT_FALSE(got) << damage;
    EXPECT_EQ(got.error().code(), Code::kDataLoss);
  }
  std::filesystem::remove(path);
  EXPECT_EQ(store_->get(digest).error().code(), Code::kDataLoss);
  ASSERT_TRUE(store_->put(as_bytes("content")));
  EXPECT_EQ(store_->get(digest).value(), to_bytes("content"));
}

TEST_F(FileStoreTest, ForgetsWhatIsRemoved) {
  const auto digest = store_->put(as_bytes("content")).value();
  const auto path = store_->path_of(digest).value();
  ASSERT_TRUE(store_->remove(digest));
  ASSERT_TRUE(store_->remove(digest));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(store_->contains(digest).value());
  EXPECT_EQ(store_->get(digest).error().code(), Code::kNotFound);
}

TEST_F(FileStoreTest, RefusesDigestsThatArePathsAndFilesTooLarge) {
  for (const auto& digest : {std::string("../../etc/passwd"), std::string(), std::string(64, 'A')}) {
    EXPECT_EQ(store_->get(digest).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(store_->remove(digest).error().code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(store_->put(Bytes(1001)).error().code(), Code::kInvalidArgument);
}

TEST_F(FileStoreTest, StoresTheEmptyFile) {
  const auto digest = store_->put({}).value();
  EXPECT_TRUE(store_->get(digest).value().empty());
}

} // namespace
} // namespace tcfdl::database
