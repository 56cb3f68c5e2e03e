#include "geometry.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

Point centre(const Quad& quad) {
  Point sum;
  for (const auto& point : quad) sum = {sum.x + point.x, sum.y + point.y};
  return {sum.x / 4, sum.y / 4};
}

float distance(Point a, Point b) { return std::hypot(a.x - b.x, a.y - b.y); }

// The direction of the text: that of all upper edges together, so that long lines count most.
Point direction_of(const std::vector<TextBox>& boxes) {
  Point sum;
  for (const auto& [quad, score] : boxes) sum = {sum.x + quad[1].x - quad[0].x, sum.y + quad[1].y - quad[0].y};
  const float length = std::hypot(sum.x, sum.y);
  return length > 0 ? Point{sum.x / length, sum.y / length} : Point{1, 0};
}

} // namespace

float width_of(const Quad& quad) { return distance(quad[0], quad[1]); }

float height_of(const Quad& quad) { return distance(quad[0], quad[3]); }

Quad quad_of(const cv::RotatedRect& rectangle) {
  std::array<cv::Point2f, 4> corners;
  rectangle.points(corners.data());
  std::ranges::sort(corners, {}, &cv::Point2f::x);
  if (corners[0].y > corners[1].y) std::swap(corners[0], corners[1]);
  if (corners[2].y > corners[3].y) std::swap(corners[2], corners[3]);
  const auto point = [&](std::size_t i) { return Point{corners.at(i).x, corners.at(i).y}; };
  return {point(0), point(2), point(3), point(1)};
}

void sort_in_reading_order(std::vector<TextBox>& boxes) {
  const auto [dx, dy] = direction_of(boxes);
  const auto along = [=](const TextBox& box) { return centre(box.points).x * dx + centre(box.points).y * dy; };
  const auto across = [=](const TextBox& box) { return centre(box.points).y * dx - centre(box.points).x * dy; };
  std::ranges::sort(boxes, {}, across);
  for (auto row = boxes.begin(); row != boxes.end();) {
    const auto other_row = [&](const TextBox& box) {
      return across(box) - across(*row) >= std::min(height_of(row->points), height_of(box.points)) / 2;
    };
    const auto end = std::find_if(row + 1, boxes.end(), other_row);
    std::ranges::sort(row, end, {}, along);
    row = end;
  }
}

Quad enclosing_quad(const std::vector<Quad>& quads) {
  std::vector<cv::Point2f> points;
  for (const auto& quad : quads) {
    for (const auto& point : quad) points.emplace_back(point.x, point.y);
  }
  return quad_of(cv::minAreaRect(points));
}

} // namespace plates
