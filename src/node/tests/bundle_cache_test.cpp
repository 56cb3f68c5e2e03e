#include "node/bundle_cache.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace tcfdl::node {
namespace {

class BundleCacheTest : public testing::Test {
protected:
  BundleCacheTest() {
    add("bin/run", "#!program", true);
    add("data/model", "model", false);
    manifest_.command = {"bin/run"};
  }
  void add(const std::string& path, const std::string& content, bool executable) {
    const auto digest = to_hex(crypto::sha256(as_bytes(content)));
    remote_[digest] = content;
    manifest_.files.push_back({path, digest, content.size(), executable});
  }
  Result<std::filesystem::path> prepare() {
    return cache_.prepare(wire::write_manifest(manifest_), Deadline::after(std::chrono::seconds(10)));
  }
  static std::string text(const std::filesystem::path& path) { return read_text_file(path).value_or("(none)"); }
  std::filesystem::path stored(std::size_t file) { return directory_.path() / "files" / manifest_.files[file].sha256; }

  TemporaryDirectory directory_;
  wire::Manifest manifest_;
  std::map<std::string, std::string> remote_; // by digest
  int fetched_ = 0;
  BundleCache cache_{directory_.path(), [this](const std::string& digest, const auto& to, Deadline) -> Status {
                       ++fetched_;
                       const auto found = remote_.find(digest);
                       if (found == remote_.end()) return Error(Code::kUnavailable, "the master is gone");
                       return write_file(to, as_bytes(found->second));
                     }};
};

TEST_F(BundleCacheTest, UnpacksABundleAndFetchesItOnce) {
  const auto path = prepare();
  ASSERT_TRUE(path) << path.error().to_string();
  EXPECT_EQ(text(*path / "bin/run"), "#!program");
  EXPECT_EQ(text(*path / "data/model"), "model");
  struct stat info{};
  ASSERT_EQ(::stat((*path / "bin/run").c_str(), &info), 0);
  EXPECT_NE(info.st_mode & 0100U, 0U);
  EXPECT_EQ(fetched_, 2);
  EXPECT_EQ(prepare().value(), *path);
  EXPECT_EQ(fetched_, 2);
}

TEST_F(BundleCacheTest, SharesFilesBetweenBundles) {
  const auto first = prepare();
  ASSERT_TRUE(first);
  manifest_.command = {"bin/run", "again"};
  add("more", "more", false);
  const auto second = prepare();
  ASSERT_TRUE(second);
  EXPECT_NE(*first, *second);
  EXPECT_EQ(fetched_, 3);
}

TEST_F(BundleCacheTest, FetchesADamagedFileAgain) {
  const auto path = prepare().value();
  for (const std::string_view damage : {"mOdel", "", "model and more"}) {
    std::filesystem::remove(path / "data/model");
    ASSERT_TRUE(write_file(path / "data/model", as_bytes(damage)));
    ASSERT_TRUE(write_file(stored(1), as_bytes(damage)));
    const auto before = fetched_;
    ASSERT_TRUE(prepare());
    EXPECT_EQ(text(path / "data/model"), "model");
    EXPECT_EQ(fetched_, before + 1);
  }
}

TEST_F(BundleCacheTest, UnpacksAgainWhatIsIncomplete) {
  const auto path = prepare().value();
  std::filesystem::remove(path / "bin/run");
  ASSERT_TRUE(prepare());
  EXPECT_EQ(text(path / "bin/run"), "#!program");
  EXPECT_EQ(fetched_, 2) << "the stored files are whole";
}

TEST_F(BundleCacheTest, RefusesContentThatTheManifestDoesNotName) {
  remote_[manifest_.files[1].sha256] = "mOdel";
  const auto path = prepare();
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code(), Code::kDataLoss);
  EXPECT_THAT(path.error().message(), testing::HasSubstr("data/model"));
  EXPECT_FALSE(std::filesystem::exists(stored(1)));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "bundles")) << "nothing half-done stays";
  remote_[manifest_.files[1].sha256] = "model";
  EXPECT_TRUE(prepare());
}

TEST_F(BundleCacheTest, SaysThatTheMasterIsGone) {
  remote_.clear();
  EXPECT_EQ(prepare().error().code(), Code::kUnavailable);
}

TEST_F(BundleCacheTest, RefusesAManifestThatLeavesItsDirectory) {
  manifest_.files[0].path = "../run";
  EXPECT_EQ(prepare().error().code(), Code::kInvalidArgument);
  EXPECT_EQ(fetched_, 0);
}

} // namespace
} // namespace tcfdl::node
