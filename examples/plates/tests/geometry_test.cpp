#include "geometry.hpp"

#include <algorithm>
#include <gmock/gmock.h>

namespace plates {
namespace {

TextBox box(float x, float y, float width, float height) {
  return {{Point{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}}, 1};
}

TEST(ReadingOrder, GoesByRowsThenFromTheLeft) {
  std::vector<TextBox> boxes{box(200, 106, 50, 20), box(10, 10, 50, 20), box(100, 4, 50, 20), box(20, 100, 50, 20)};
  sort_in_reading_order(boxes);
  std::vector<float> left;
  for (const auto& each : boxes) left.push_back(each.points[0].x);
  EXPECT_THAT(left, testing::ElementsAre(10, 100, 20, 200));
}

TEST(ReadingOrder, FollowsTurnedRows) {
  const auto turned = [](float x, float y) {
    return TextBox{quad_of(cv::RotatedRect({x * 0.98F + y * 0.17F, y * 0.98F - x * 0.17F}, {80, 20}, -10)), 1};
  };
  std::vector<TextBox> boxes{turned(100, 100), turned(200, 100), turned(100, 130), turned(200, 130)};
  const auto expected = boxes;
  std::ranges::rotate(boxes, boxes.begin() + 1);
  std::swap(boxes[0], boxes[2]);
  sort_in_reading_order(boxes);
  for (std::size_t i = 0; i < boxes.size(); ++i) EXPECT_EQ(boxes[i].points[0].x, expected[i].points[0].x) << i;
}

TEST(ReadingOrder, TakesNoBoxes) {
  std::vector<TextBox> none;
  sort_in_reading_order(none);
  EXPECT_TRUE(none.empty());
}

TEST(QuadOf, StartsAtTheTopLeft) {
  for (const float angle : {-30.F, -5.F, 0.F, 5.F, 30.F}) {
    const auto quad = quad_of(cv::RotatedRect({50, 50}, {60, 10}, angle));
    EXPECT_LT(quad[0].x, quad[1].x);
    EXPECT_LT(quad[0].y, quad[3].y);
    EXPECT_NEAR(width_of(quad), 60, 0.01) << angle;
    EXPECT_NEAR(height_of(quad), 10, 0.01) << angle;
  }
}

TEST(EnclosingQuad, HoldsAllCorners) {
  const auto quad = enclosing_quad({box(10, 10, 40, 10).points, box(10, 30, 60, 10).points});
  EXPECT_NEAR(quad[0].x, 10, 0.01);
  EXPECT_NEAR(quad[0].y, 10, 0.01);
  EXPECT_NEAR(quad[2].x, 70, 0.01);
  EXPECT_NEAR(quad[2].y, 40, 0.01);
}

} // namespace
} // namespace plates
