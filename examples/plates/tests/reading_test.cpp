#include "image.hpp"
#include "local_reader.hpp"
#include "scene.hpp"
#include "settings.hpp"

#include <gmock/gmock.h>
#include <opencv2/core.hpp>

namespace plates {
namespace {

using tcfdl::Code;

TEST(Reading, ReadsEveryDefaultPlateRight) {
  const auto fonts = load_fonts("/usr/share/fonts/truetype");
  ASSERT_TRUE(fonts) << fonts.error().message();
  const auto scenes = render_scenes(*fonts, 12, 1);
  ASSERT_TRUE(scenes) << scenes.error().message();
  for (const auto& scene : *scenes) {
    const auto plate = LocalReader::instance().read(scene.encoded);
    ASSERT_TRUE(plate) << scene.name << ": " << plate.error().to_string();
    EXPECT_EQ(comparable(plate->at("text").get<std::string>()), comparable(scene.text)) << scene.name;
    EXPECT_GE(plate->at("confidence").get<double>(), 0.7) << scene.name;
    EXPECT_EQ(plate->at("steps").at(0).at("function"), "text/detect");
    EXPECT_GE(plate->at("steps").size(), 2U);
  }
}

TEST(Reading, FindsNoTextInAnEmptyImage) {
  const auto png = encode_png(cv::Mat(200, 300, CV_8UC3, cv::Scalar(90, 90, 90)));
  ASSERT_TRUE(png);
  const auto plate = LocalReader::instance().read(*png);
  ASSERT_FALSE(plate);
  EXPECT_EQ(plate.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(plate.error().message(), "no readable text in the image");
}

TEST(Reading, TakesTheSmallestAndTheLongestImages) {
  for (const auto& size : {cv::Size(1, 1), cv::Size(4000, 1), cv::Size(1, 4000), cv::Size(3, 3)}) {
    const auto png = encode_png(cv::Mat(size, CV_8UC3, cv::Scalar(200, 10, 90)));
    ASSERT_TRUE(png);
    EXPECT_TRUE(LocalReader::instance().call(kDetectFunction, *png)) << size.width << 'x' << size.height;
    EXPECT_TRUE(LocalReader::instance().call(kRecogniseFunction, *png)) << size.width << 'x' << size.height;
  }
}

TEST(Reading, RefusesBodiesThatAreNoImage) {
  for (const auto* const function : {kDetectFunction, kRecogniseFunction}) {
    const auto answer = LocalReader::instance().call(function, tcfdl::as_bytes("not an image at all"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Code::kInvalidArgument);
  }
}

TEST(Networks, SayWhichFileCannotBeLoaded) {
  const auto detector = TextDetector::load("nowhere", 1);
  ASSERT_FALSE(detector);
  EXPECT_EQ(detector.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(detector.error().message(), testing::HasSubstr("nowhere/ch_PP-OCRv4_det_infer.onnx"));
}

TEST(Networks, SettingsRefuseAThreadCountThatIsNoNumber) {
  for (const auto* const wrong : {"", "0", "65", "two", "1x", "-1"}) {
    ASSERT_EQ(::setenv("PLATES_THREADS", wrong, 1), 0);
    const auto settings = settings_from_environment();
    EXPECT_TRUE(!settings && settings.error().code() == Code::kInvalidArgument) << wrong;
  }
  ASSERT_EQ(::setenv("PLATES_THREADS", "4", 1), 0);
  EXPECT_EQ(settings_from_environment().value().threads, 4U);
  ASSERT_EQ(::unsetenv("PLATES_THREADS"), 0);
  EXPECT_EQ(settings_from_environment().value().threads, 1U);
}

} // namespace
} // namespace plates
