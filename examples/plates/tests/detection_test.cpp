#include "detection.hpp"

#include <gmock/gmock.h>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

cv::Mat blank_map() { return cv::Mat::zeros(160, 320, CV_32F); }

void add_text(cv::Mat& map, cv::Rect place, float probability) { map(place).setTo(probability); }

TEST(BoxesOfMap, GrowsABoxByItsUnclipDistance) {
  auto map = blank_map();
  add_text(map, {100, 60, 81, 21}, 0.9F); // corners 100,60 to 180,80
  const auto boxes = boxes_of_map(map, {320, 160}, {});
  ASSERT_EQ(boxes.size(), 1U);
  const float grow = 80 * 20 * 1.5F / 200;
  const auto& points = boxes[0].points;
  EXPECT_NEAR(points[0].x, 100 - grow, 0.01);
  EXPECT_NEAR(points[0].y, 60 - grow, 0.01);
  EXPECT_NEAR(points[2].x, 180 + grow, 0.01);
  EXPECT_NEAR(points[2].y, 80 + grow, 0.01);
  EXPECT_NEAR(boxes[0].score, 0.9, 0.001);
}

TEST(BoxesOfMap, ScalesToTheImageAndStaysInside) {
  auto map = blank_map();
  add_text(map, {0, 60, 320, 21}, 0.9F);
  const auto boxes = boxes_of_map(map, {640, 480}, {});
  ASSERT_EQ(boxes.size(), 1U);
  EXPECT_FLOAT_EQ(boxes[0].points[0].x, 0);
  EXPECT_FLOAT_EQ(boxes[0].points[1].x, 640);
  EXPECT_NEAR(height_of(boxes[0].points), 3 * (20 + 2 * 319 * 20 * 1.5 / 678), 0.1);
}

TEST(BoxesOfMap, DropsWhatIsFaintOrTiny) {
  auto map = blank_map();
  add_text(map, {10, 10, 60, 20}, 0.29F);
  add_text(map, {10, 60, 60, 20}, 0.55F);
  add_text(map, {10, 120, 60, 3}, 0.9F);
  EXPECT_TRUE(boxes_of_map(map, {320, 160}, {}).empty());
}

TEST(BoxesOfMap, FollowsTurnedText) {
  auto map = blank_map();
  const cv::RotatedRect turned({160, 80}, {120, 24}, 20);
  std::vector<cv::Point2f> corners(4);
  turned.points(corners.data());
  std::vector<cv::Point> polygon(corners.begin(), corners.end());
  cv::fillConvexPoly(map, polygon, cv::Scalar(0.95));
  const auto boxes = boxes_of_map(map, {320, 160}, {});
  ASSERT_EQ(boxes.size(), 1U);
  const auto& points = boxes[0].points;
  EXPECT_NEAR(std::atan2(points[1].y - points[0].y, points[1].x - points[0].x) * 180 / CV_PI, 20, 1.5);
}

TEST(BoxesOfMap, KeepsTheBestWhenThereAreTooMany) {
  auto map = blank_map();
  add_text(map, {10, 10, 60, 20}, 0.7F);
  add_text(map, {10, 60, 60, 20}, 0.9F);
  add_text(map, {10, 120, 60, 20}, 0.8F);
  DetectionSettings settings;
  settings.most_boxes = 2;
  const auto boxes = boxes_of_map(map, {320, 160}, settings);
  ASSERT_EQ(boxes.size(), 2U);
  EXPECT_NEAR(boxes[0].score, 0.9, 0.001);
  EXPECT_NEAR(boxes[1].score, 0.8, 0.001);
}

TEST(DetectionInput, HasSidesOfMultiplesOf32WithinTheLimit) {
  const auto shape = [](int width, int height) {
    return detection_input(cv::Mat(height, width, CV_8UC3, cv::Scalar()), {}).shape;
  };
  EXPECT_EQ(shape(640, 360), (std::vector<std::int64_t>{1, 3, 352, 640}));
  EXPECT_EQ(shape(1920, 1080), (std::vector<std::int64_t>{1, 3, 544, 960}));
  EXPECT_EQ(shape(1, 1), (std::vector<std::int64_t>{1, 3, 32, 32}));
}

TEST(DetectionInput, NormalisesBlueGreenAndRedIntoPlanes) {
  const auto input = detection_input(cv::Mat(32, 32, CV_8UC3, cv::Scalar(0, 255, 51)), {});
  EXPECT_NEAR(input.values[0], -0.485 / 0.229, 1e-5);
  EXPECT_NEAR(input.values[1024], (1 - 0.456) / 0.224, 1e-5);
  EXPECT_NEAR(input.values[2048], (0.2 - 0.406) / 0.225, 1e-5);
}

} // namespace
} // namespace plates
