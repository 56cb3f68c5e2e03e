#include "wire/manifest.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

const std::string kDigest(64, 'a');

std::string entry(const std::string& path, const std::string& size = "1", const std::string& mode = "\"0644\"",
                  const std::string& digest = kDigest) {
  return fmt::format(R"({{"path":"{}","sha256":"{}","size":{},"mode":{}}})", path, digest, size, mode);
}

std::string with_files(const std::string& files) {
  return fmt::format(R"({{"format":1,"command":["x"],"files":[{}]}})", files);
}

std::string refusal(const std::string& text) {
  const auto manifest = parse_manifest(as_bytes(text));
  EXPECT_FALSE(manifest) << text.substr(0, 200);
  if (manifest) return "";
  EXPECT_EQ(manifest.error().code(), Code::kInvalidArgument);
  return manifest.error().message();
}

TEST(Manifest, ReadsEveryKey) {
  const auto text = fmt::format(R"({{"format":1,"command":["bin/x","-v"],"environment":{{"B":"2","A":"1"}},)"
                                R"("files":[{},{}],"logs":"host"}})",
                                entry("bin/x", "7", "\"0755\""), entry("lib/y.so"));
  const auto manifest = parse_manifest(as_bytes(text));
  ASSERT_TRUE(manifest) << manifest.error().to_string();
  EXPECT_THAT(manifest->command, testing::ElementsAre("bin/x", "-v"));
  EXPECT_THAT(manifest->environment, testing::ElementsAre(testing::Pair("A", "1"), testing::Pair("B", "2")));
  EXPECT_EQ(manifest->files[0], (ManifestFile{"bin/x", kDigest, 7, true}));
  EXPECT_FALSE(manifest->files[1].executable);
  EXPECT_EQ(manifest->logs, LogPolicy::kHost);
}

TEST(Manifest, RoundTripsAndIsCanonical) {
  Manifest manifest;
  manifest.command = {"bin/x", "say\n\"hello\""};
  manifest.environment = {{"A", "ü"}, {"B", ""}};
  manifest.files = {{"bin/x", kDigest, 5, true}, {"ä/ö", kDigest, 0, false}};
  ASSERT_TRUE(check_manifest(manifest));
  const auto text = write_manifest(manifest);
  const auto again = parse_manifest(text);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, manifest);
  EXPECT_EQ(write_manifest(*again), text);
  EXPECT_EQ(measure_manifest(text), crypto::sha256(text));
}

TEST(Manifest, NamesWhatConfidentialFilesHold) {
  Manifest manifest;
  manifest.command = {"bin/x"};
  manifest.files = {{"bin/x", kDigest, 5, true},
                    {"model", kDigest, 40 + 70'000 + 2 * 16, false, Plaintext{kDigest, 70'000}}};
  const auto text = write_manifest(manifest);
  const auto again = parse_manifest(text);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, manifest);
  EXPECT_THAT(confidential_paths(*again), testing::ElementsAre("model"));
}

TEST(Manifest, RefusesConfidentialFilesThatCannotBe) {
  const auto with = [](const std::string& confidential, const std::string& mode = "0644",
                       const std::string& path = "model") {
    return with_files(fmt::format(R"({{"path":"{}","sha256":"{}","size":57,"mode":"{}","confidential":{}}})", path,
                                  kDigest, mode, confidential));
  };
  const auto good = fmt::format(R"({{"digest":"{}","size":1}})", kDigest);
  EXPECT_TRUE(parse_manifest(as_bytes(with(good))));
  EXPECT_THAT(refusal(with("true")), testing::HasSubstr("confidential is no object"));
  EXPECT_THAT(refusal(with(R"({"digest":"x","size":1})")), testing::HasSubstr("confidential.digest"));
  EXPECT_THAT(refusal(with(R"({"size":1})")), testing::HasSubstr("digest"));
  EXPECT_THAT(refusal(with(fmt::format(R"({{"digest":"{}","size":-1}})", kDigest))),
              testing::HasSubstr("confidential.size"));
  EXPECT_THAT(refusal(with(fmt::format(R"({{"digest":"{}","size":18446744073709551615}})", kDigest))),
              testing::HasSubstr("do not make a file of 57"));
  EXPECT_THAT(refusal(with(fmt::format(R"({{"digest":"{}","size":2}})", kDigest))),
              testing::HasSubstr("2 confidential bytes do not make a file of 57"));
  EXPECT_THAT(refusal(with(good, "0755")), testing::HasSubstr("cannot be executed"));
  EXPECT_THAT(refusal(with(good, "0644", "x")), testing::HasSubstr("the program x cannot be confidential"));
}

TEST(Manifest, LogsNothingByDefault) {
  const auto manifest = parse_manifest(as_bytes(with_files("")));
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->logs, LogPolicy::kNone);
}

TEST(Manifest, RefusesPathsThatLeaveTheBundle) {
  for (const auto* path : {"..", "../x", "a/../../x", "a/..", "/etc/passwd", "/", "", "a//b", "a/", "./a", "a/./b"}) {
    EXPECT_THAT(refusal(with_files(entry(path))), testing::HasSubstr("files[0]: the path")) << path;
  }
}

TEST(Manifest, RefusesControlCharactersInPaths) {
  for (const auto* path : {"a\\nb", "a\\u0000b", "a\\u001bb", "a\\u007fb"}) {
    EXPECT_THAT(refusal(with_files(entry(path))), testing::HasSubstr("control characters")) << path;
  }
}

TEST(Manifest, RefusesLongAndDeepPaths) {
  EXPECT_THAT(refusal(with_files(entry(std::string(256, 'a')))), testing::HasSubstr("256 characters"));
  std::string deep = "a";
  for (int i = 0; i < 64; ++i) deep += "/a";
  EXPECT_THAT(refusal(with_files(entry(deep))), testing::HasSubstr("65 parts"));
}

TEST(Manifest, RefusesFilesTwiceAndFilesThatAreDirectories) {
  EXPECT_THAT(refusal(with_files(entry("a") + "," + entry("a"))), testing::HasSubstr("twice"));
  EXPECT_THAT(refusal(with_files(entry("a/b/c") + "," + entry("a/b"))), testing::HasSubstr("a/b is a file and a dir"));
  EXPECT_TRUE(parse_manifest(as_bytes(with_files(entry("a/b/c") + "," + entry("a/b.c")))));
}

TEST(Manifest, RefusesBadDigestsSizesAndModes) {
  EXPECT_THAT(refusal(with_files(entry("a", "1", "\"0644\"", std::string(64, 'A')))), testing::HasSubstr("sha256"));
  EXPECT_THAT(refusal(with_files(entry("a", "1", "\"0644\"", "ab"))), testing::HasSubstr("sha256"));
  for (const auto* size : {"-1", "1.5", "\"1\"", "null"})
    EXPECT_THAT(refusal(with_files(entry("a", size))), testing::HasSubstr("size")) << size;
  EXPECT_THAT(refusal(with_files(entry("a", "18446744073709551615"))), testing::HasSubstr("allowed"));
  EXPECT_FALSE(parse_manifest(as_bytes(with_files(entry("a", "18446744073709551616")))));
  for (const auto* mode : {"\"0777\"", "\"4755\"", "420", "null"})
    EXPECT_THAT(refusal(with_files(entry("a", "1", mode))), testing::HasSubstr("mode")) << mode;
}

TEST(Manifest, RefusesMoreThanItsLimits) {
  std::string five;
  for (int i = 0; i < 5; ++i)
    five += fmt::format("{}{}", i ? "," : "", entry(std::to_string(i), std::to_string(kMaxBundleFile)));
  EXPECT_THAT(refusal(with_files(five)), testing::HasSubstr("its files have"));
  std::string many = "0";
  for (std::size_t i = 0; i < kMaxManifestFiles; ++i) many += ",0";
  EXPECT_THAT(refusal(with_files(many)), testing::HasSubstr("10001 files"));
  EXPECT_THAT(refusal(std::string(kMaxManifest + 1, ' ')), testing::HasSubstr("bytes"));
}

TEST(Manifest, RefusesUnknownMissingAndDuplicateKeys) {
  EXPECT_THAT(refusal(R"({"format":1,"command":["x"],"files":[],"x":1})"), testing::HasSubstr("unknown key"));
  EXPECT_THAT(refusal(R"({"format":1,"command":["x"]})"), testing::HasSubstr("'files' is missing"));
  EXPECT_THAT(refusal(R"({"format":1,"command":["x"],"command":["y"],"files":[]})"), testing::HasSubstr("twice"));
  EXPECT_THAT(refusal(R"({"format":1,"command":["x"],"files":[],"environment":{"A":"1","A":"2"}})"),
              testing::HasSubstr("twice"));
  EXPECT_THAT(refusal(R"({"format":2,"command":["x"],"files":[]})"), testing::HasSubstr("format"));
}

TEST(Manifest, RefusesWhatIsNoManifest) {
  for (const auto* text : {"", "null", "[]", "{", "{}x", "\"\xff\"", "[[[[[[[[", "{\"format\":[[[[[1]]]]]}"})
    EXPECT_NE(refusal(text), "") << text;
}

TEST(Manifest, RefusesBadCommandsAndEnvironments) {
  const auto with = [](const std::string& rest) { return fmt::format(R"({{"format":1,"files":[],{}}})", rest); };
  for (const auto* rest :
       {R"("command":[])", R"("command":[""])", R"("command":"x")", R"("command":[1])", R"("command":["a\u0000b"])",
        R"("command":["x"],"environment":{"1A":""})", R"("command":["x"],"environment":{"A=B":""})",
        R"("command":["x"],"environment":{"":""})", R"("command":["x"],"environment":{"TCFDL_TOKEN":""})",
        R"("command":["x"],"environment":{"A":"\u0000"})", R"("command":["x"],"environment":{"A":1})",
        R"("command":["x"],"logs":"file")"}) {
    EXPECT_NE(refusal(with(rest)), "") << rest;
  }
}

} // namespace
} // namespace tcfdl::wire
