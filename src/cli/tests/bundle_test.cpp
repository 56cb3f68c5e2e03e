#include "base/encoding.hpp"
#include "base/file.hpp"
#include "cli/function_file.hpp"
#include "crypto/random.hpp"

#include <gtest/gtest.h>

namespace tcfdl::cli {
namespace {

class BundleTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(write_file(directory.path() / "program", as_bytes("abc")));
    function.name = "a";
    function.command = {"bin/a"};
    function.protections = {"eae"};
    function.files = {{directory.path() / "program", "bin/a", true}, {directory.path() / "program", "a.copy", false}};
  }
  TemporaryDirectory directory;
  FunctionFile function;
};

TEST_F(BundleTest, HashesEachContentOnceAndListsEveryPath) {
  const auto bundle = make_bundle(function);
  ASSERT_TRUE(bundle) << bundle.error().message();
  ASSERT_EQ(bundle->blobs.size(), 1U);
  EXPECT_EQ(bundle->blobs.front().sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(bundle->blobs.front().size, 3U);
  const auto manifest = wire::parse_manifest(as_bytes(bundle->manifest));
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->files.size(), 2U);
  EXPECT_EQ(manifest->command, function.command);
}

TEST_F(BundleTest, NamesAMissingSource) {
  function.files.front().source = directory.path() / "missing";
  const auto bundle = make_bundle(function);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().code(), Code::kNotFound);
  EXPECT_NE(bundle.error().message().find("missing is no file"), std::string::npos);
}

TEST_F(BundleTest, RefusesPathsOutsideOfTheBundle) {
  function.files.back().path = "../outside";
  EXPECT_FALSE(make_bundle(function));
}

TEST_F(BundleTest, IsMeasuredInTheDescriptor) {
  const auto bundle = make_bundle(function);
  ASSERT_TRUE(bundle);
  const auto key = crypto::random_array<65>();
  const auto descriptor = make_descriptor(function, *bundle, key);
  EXPECT_EQ(descriptor.measurement(), wire::field(crypto::sha256(as_bytes(bundle->manifest))));
  EXPECT_GT(descriptor.version(), 1'600'000'000U);
  EXPECT_EQ(descriptor.protections(0), "eae");
  function.version = 9;
  EXPECT_EQ(make_descriptor(function, *bundle, key).version(), 9U);
}

TEST_F(BundleTest, EncryptsWhatIsConfidentialUnderAFreshKey) {
  EXPECT_FALSE(make_bundle(function)->content_key);
  ASSERT_TRUE(write_file(directory.path() / "model", as_bytes("the marker of a model")));
  function.files.push_back({directory.path() / "model", "model", false, true});
  const auto bundle = make_bundle(function);
  ASSERT_TRUE(bundle) << bundle.error().message();
  ASSERT_TRUE(bundle->content_key);
  const auto manifest = wire::parse_manifest(as_bytes(bundle->manifest));
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(wire::confidential_paths(*manifest), std::vector<std::string>{"model"});
  ASSERT_EQ(bundle->blobs.size(), 2U);
  const auto& blob = bundle->blobs.back();
  const auto content = read_text_file(blob.source);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->find("marker"), std::string::npos);
  EXPECT_EQ(to_hex(crypto::sha256(as_bytes(*content))), blob.sha256);
  const auto again = make_bundle(function);
  ASSERT_TRUE(again);
  EXPECT_FALSE(crypto::equal_constant_time(again->content_key->span(), bundle->content_key->span()));
  EXPECT_NE(again->manifest, bundle->manifest);
}

TEST_F(BundleTest, ConfidentialFilesFitIntoTheMemoryTheyAreOpenedInto) {
  ASSERT_TRUE(write_file(directory.path() / "model", Bytes(70'000, 'x')));
  function.files.push_back({directory.path() / "model", "model", false, true});
  function.memory = "64KiB";
  const auto bundle = make_bundle(function);
  ASSERT_FALSE(bundle);
  EXPECT_NE(bundle.error().message().find("raise resources.memory"), std::string::npos) << bundle.error().message();
  function.memory = "1MiB";
  EXPECT_TRUE(make_bundle(function));
}

} // namespace
} // namespace tcfdl::cli
