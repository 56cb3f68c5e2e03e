// The demo's application across two clusters: real images, real models.
#include "support/platform.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace tcfdl::test {
namespace {

constexpr const char* kPlatesTopology = R"(clusters:
  - name: vehicle
    host_instances: false
  - name: roadside
    workers: [rsu-1, rsu-2]
)";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

/// Plates are compared by their letters and digits: spaces and dashes are layout.
std::string normal(const std::string& text) {
  std::string result;
  std::ranges::copy_if(text, std::back_inserter(result), [](unsigned char c) { return std::isalnum(c) != 0; });
  return result;
}

class Plates : public testing::Test {
protected:
  static void SetUpTestSuite() {
    platform_ = new Platform(kPlatesTopology);
    ASSERT_EQ(platform_->up(), "");
    const std::filesystem::path source = std::filesystem::path(TCFDL_SOURCE_DIR) / "examples/plates/functions";
    for (const auto* name : {"text_detect", "text_recognise", "plates_read"}) {
      auto yaml = read_text_file(source / (std::string(name) + ".yaml")).value();
      replace_all(yaml, "../../../build/bin", TCFDL_TEST_BIN);
      replace_all(yaml, "../../../build/deps", std::string(TCFDL_SOURCE_DIR) + "/build/deps");
      const auto file = platform_->root() / (std::string(name) + ".yaml");
      ASSERT_TRUE(write_file(file, as_bytes(yaml)));
      const auto deployed = platform_->tcfdl({"--context", "roadside", "function", "deploy", file.string()});
      ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    }
  }
  static void TearDownTestSuite() {
    delete platform_;
    platform_ = nullptr;
  }

  static Invoked read(const std::string& image) {
    return platform_->invoke("plates/read", image, {"--context", "vehicle", "--timeout", "60s"});
  }

  static Platform* platform_;
};

Platform* Plates::platform_ = nullptr;

TEST_F(Plates, AreReadFromTheVehicleAtTheRoadside) {
  const auto images = platform_->root() / "images";
  ASSERT_EQ(run({Platform::binary("plates-render"), images.string(), "--count", "3"}).exit_code, 0);
  const auto expected = Json::parse(read_text_file(images / "expected.json").value());
  ASSERT_EQ(expected.size(), 3U);
  for (const auto& [name, text] : expected.items()) {
    const auto image = read_file(images / name).value();
    const auto called = read(std::string(as_text(image)));
    ASSERT_EQ(called.exit_code, 0) << called.err;
    const auto answer = Json::parse(called.out);
    EXPECT_EQ(normal(answer["text"]), normal(text));
    EXPECT_EQ(called.summary["cluster"], "roadside");
    ASSERT_GE(answer["steps"].size(), 2U);
    for (const auto& step : answer["steps"]) {
      EXPECT_EQ(step["cluster"], "roadside");
      EXPECT_EQ(step["protection"], "eae");
    }
  }
}

TEST_F(Plates, RefuseWhatIsNoReadableImage) {
  for (const auto& rubbish : {std::string(), std::string("no image"), std::string("\x89PNG\r\n\x1a\n cut off"),
                              std::string(30'000'000, 'x')}) {
    const auto called = read(rubbish);
    EXPECT_EQ(called.exit_code, 1);
    EXPECT_NE(called.err.find("INVALID_ARGUMENT"), std::string::npos) << called.err;
  }
}

} // namespace
} // namespace tcfdl::test
