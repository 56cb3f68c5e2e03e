#include "detection.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

constexpr int kStride = 32;
constexpr float kLeastSide = 3; // pixels of the map, before a box grows
constexpr std::array<float, 3> kMean{0.485F, 0.456F, 0.406F};
constexpr std::array<float, 3> kDeviation{0.229F, 0.224F, 0.225F};

int to_stride(float side) { return std::max(kStride, static_cast<int>(std::lround(side / kStride)) * kStride); }

// The map's mean within a contour's rectangle.
float score_of(const cv::Mat& map, const cv::RotatedRect& rectangle) {
  std::array<cv::Point2f, 4> corners;
  rectangle.points(corners.data());
  const auto frame = rectangle.boundingRect() & cv::Rect(0, 0, map.cols, map.rows);
  if (frame.empty()) return 0;
  std::vector<cv::Point> polygon;
  for (const auto& corner : corners) {
    polygon.emplace_back(static_cast<int>(corner.x) - frame.x, static_cast<int>(corner.y) - frame.y);
  }
  cv::Mat mask = cv::Mat::zeros(frame.size(), CV_8UC1);
  cv::fillPoly(mask, std::vector{polygon}, cv::Scalar(1));
  return static_cast<float>(cv::mean(map(frame), mask)[0]);
}

// A rectangle whose sides all moved outwards by area * ratio / perimeter.
cv::RotatedRect unclip(cv::RotatedRect rectangle, float ratio) {
  const auto [width, height] = rectangle.size;
  const float grow = width * height * ratio / (2 * (width + height));
  rectangle.size = {width + 2 * grow, height + 2 * grow};
  return rectangle;
}

Quad scaled(Quad quad, cv::Size from, cv::Size to) {
  for (auto& point : quad) {
    const auto move = [](float value, int old_side, int new_side) {
      return std::clamp(value * static_cast<float>(new_side) / static_cast<float>(old_side), 0.F,
                        static_cast<float>(new_side));
    };
    point = {move(point.x, from.width, to.width), move(point.y, from.height, to.height)};
  }
  return quad;
}

} // namespace

Tensor detection_input(const cv::Mat& image, const DetectionSettings& settings) {
  const float scale =
      std::min(1.F, static_cast<float>(settings.longest_side) / static_cast<float>(std::max(image.cols, image.rows)));
  const cv::Size size(to_stride(static_cast<float>(image.cols) * scale),
                      to_stride(static_cast<float>(image.rows) * scale));
  cv::Mat resized;
  cv::resize(image, resized, size, 0, 0, cv::INTER_LINEAR);
  Tensor input{{1, 3, size.height, size.width}, std::vector<float>(3 * static_cast<std::size_t>(size.area()))};
  const auto plane = static_cast<std::size_t>(size.area());
  for (int y = 0; y < size.height; ++y) {
    const auto* const row = resized.ptr<cv::Vec3b>(y);
    for (int x = 0; x < size.width; ++x) {
      const auto at = static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width) + static_cast<std::size_t>(x);
      for (int c = 0; c < 3; ++c) {
        const auto k = static_cast<std::size_t>(c);
        input.values[k * plane + at] = (static_cast<float>(row[x][c]) / 255.F - kMean.at(k)) / kDeviation.at(k);
      }
    }
  }
  return input;
}

std::vector<TextBox> boxes_of_map(const cv::Mat& map, cv::Size size, const DetectionSettings& settings) {
  const cv::Mat text = map > settings.threshold;
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(text, contours, cv::RETR_LIST, cv::CHAIN_APPROX_SIMPLE);
  std::vector<TextBox> boxes;
  for (const auto& contour : contours) {
    const auto rectangle = cv::minAreaRect(contour);
    if (std::min(rectangle.size.width, rectangle.size.height) < kLeastSide) continue;
    const float score = score_of(map, rectangle);
    if (score < settings.box_threshold) continue;
    boxes.push_back({scaled(quad_of(unclip(rectangle, settings.unclip_ratio)), map.size(), size), score});
  }
  std::ranges::sort(boxes, std::greater(), &TextBox::score);
  if (boxes.size() > settings.most_boxes) boxes.resize(settings.most_boxes);
  sort_in_reading_order(boxes);
  return boxes;
}

Result<TextDetector> TextDetector::load(const std::filesystem::path& models, unsigned threads) {
  TCFDL_ASSIGN(auto model, Model::load(models / "ch_PP-OCRv4_det_infer.onnx", threads));
  return TextDetector(std::move(model));
}

Result<std::vector<TextBox>> TextDetector::detect(const cv::Mat& image) const {
  auto input = detection_input(image, settings_);
  TCFDL_ASSIGN(auto output, model_.run(input));
  if (output.shape != std::vector<std::int64_t>{1, 1, input.shape[2], input.shape[3]}) {
    return Error(Code::kInternal, "the detection network's output is no map of its input");
  }
  const cv::Mat map(static_cast<int>(output.shape[2]), static_cast<int>(output.shape[3]), CV_32F, output.values.data());
  return boxes_of_map(map, image.size(), settings_);
}

} // namespace plates
