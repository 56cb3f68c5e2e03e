#include "image.hpp"

#include <gmock/gmock.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

using tcfdl::Bytes;
using tcfdl::BytesView;
using tcfdl::Code;
using testing::HasSubstr;

const std::vector<std::string> kFormats{".png", ".jpg", ".bmp", ".webp"};

cv::Mat picture(cv::Size size) {
  cv::Mat image(size, CV_8UC3);
  cv::RNG numbers(7);
  numbers.fill(image, cv::RNG::UNIFORM, 0, 255);
  return image;
}

Bytes encoded(const std::string& format, cv::Size size = {70, 50}) {
  Bytes bytes;
  cv::imencode(format, picture(size), bytes);
  return bytes;
}

void expect_refused(BytesView bytes, const std::string& why) {
  const auto image = decode_image(bytes);
  ASSERT_FALSE(image) << why;
  EXPECT_EQ(image.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(image.error().message(), HasSubstr(why));
}

TEST(DecodeImage, TakesTheFourFormats) {
  for (const auto& format : kFormats) {
    const auto bytes = encoded(format);
    const auto size = stated_size(bytes);
    ASSERT_TRUE(size) << format;
    EXPECT_EQ(size->width, 70U) << format;
    EXPECT_EQ(size->height, 50U) << format;
    const auto image = decode_image(bytes);
    ASSERT_TRUE(image) << format << image.error().message();
    EXPECT_EQ(image->size(), cv::Size(70, 50)) << format;
    EXPECT_EQ(image->type(), CV_8UC3);
  }
}

TEST(DecodeImage, RefusesWhatIsCutOffAnywhere) {
  for (const auto& format : kFormats) {
    const auto whole = encoded(format);
    for (std::size_t size = 1; size < whole.size(); size += 1 + size / 6) {
      EXPECT_FALSE(decode_image(BytesView(whole).first(size))) << format << " of " << size << " bytes";
    }
    EXPECT_FALSE(decode_image(BytesView(whole).first(whole.size() - 16))) << format;
  }
}

TEST(DecodeImage, RefusesWhatIsNoImage) {
  expect_refused({}, "empty");
  expect_refused(tcfdl::as_bytes("GIF89a and more text"), "no PNG, JPEG, BMP or WebP image");
  expect_refused(tcfdl::as_bytes("\x89PNG\r\n\x1A\n"), "cut off");
  expect_refused(tcfdl::as_bytes("\xFF\xD8\xFF\xE0"), "cut off");
}

TEST(DecodeImage, RefusesDamagedContent) {
  auto bytes = encoded(".png");
  std::fill(bytes.begin() + 40, bytes.end() - 40, std::uint8_t{0x55});
  expect_refused(bytes, "damaged");
}

TEST(DecodeImage, RefusesTooManyPixelsByTheHeaderAlone) {
  auto bytes = encoded(".png");
  bytes[16] = 0x7F; // a width of two thousand million
  expect_refused(bytes, "at most 40 megapixels");
  auto flat = encoded(".bmp");
  flat[21] = 0x7F;
  expect_refused(flat, "at most 40 megapixels");
}

TEST(DecodeImage, RefusesNoPixelsAndTooManyBytes) {
  auto bytes = encoded(".png");
  std::fill(bytes.begin() + 16, bytes.begin() + 20, std::uint8_t{0});
  expect_refused(bytes, "no pixels");
  expect_refused(Bytes(kMostEncodedBytes + 1), "at most 20 MiB");
}

TEST(Crop, StraightensTurnedText) {
  cv::Mat image(100, 100, CV_8UC3, cv::Scalar(255, 255, 255));
  const Quad quad{Point{20, 40}, {60, 20}, {65, 30}, {25, 50}};
  const std::vector<cv::Point> polygon{{18, 40}, {60, 18}, {67, 30}, {25, 52}};
  cv::fillConvexPoly(image, polygon, cv::Scalar(0, 0, 0));
  const auto cut = crop(image, quad);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->size(), cv::Size(44, 11));
  EXPECT_LT(cv::mean(*cut)[0], 10);
}

TEST(Crop, LaysUprightTextDown) {
  const auto cut = crop(picture({100, 100}), {Point{10, 10}, {20, 10}, {20, 80}, {10, 80}});
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->size(), cv::Size(70, 10));
}

TEST(Crop, RefusesBoxesWithoutAreaOrOutside) {
  const auto image = picture({100, 100});
  EXPECT_FALSE(crop(image, {Point{10, 10}, {10, 10}, {10, 10}, {10, 10}}));
  EXPECT_FALSE(crop(image, {Point{10, 10}, {1e9F, 10}, {1e9F, 80}, {10, 80}}));
  EXPECT_FALSE(crop(image, {Point{NAN, 10}, {20, 10}, {20, 80}, {10, 80}}));
}

} // namespace
} // namespace plates
