#include "image.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

using tcfdl::Bytes;
using tcfdl::BytesView;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

constexpr float kUprightText = 1.5F;

tcfdl::Status check_size(ImageSize size) {
  if (size.width == 0 || size.height == 0) return Error(Code::kInvalidArgument, "the image has no pixels");
  if (std::uint64_t{size.width} * size.height <= kMostPixels) return {};
  return Error(Code::kInvalidArgument, fmt::format("the image has {} x {} pixels, at most {} megapixels are read",
                                                   size.width, size.height, kMostPixels / 1'000'000));
}

tcfdl::Status check_quad(const cv::Mat& image, const Quad& quad) {
  for (const auto& [x, y] : quad) {
    const auto near = [](float value, int size) {
      return std::isfinite(value) && value >= -static_cast<float>(size) && value <= 2 * static_cast<float>(size);
    };
    if (!near(x, image.cols) || !near(y, image.rows)) {
      return Error(Code::kInvalidArgument, fmt::format("the box's corner {}, {} is outside the image", x, y));
    }
  }
  if (width_of(quad) >= 1 && height_of(quad) >= 1) return {};
  return Error(Code::kInvalidArgument, "the box has no area");
}

} // namespace

Result<cv::Mat> decode_image(BytesView encoded) {
  if (encoded.empty()) return Error(Code::kInvalidArgument, "the body is empty, an encoded image is needed");
  if (encoded.size() > kMostEncodedBytes) {
    return Error(Code::kInvalidArgument, fmt::format("the image has {} bytes, at most {} MiB are read", encoded.size(),
                                                     kMostEncodedBytes >> 20U));
  }
  TCFDL_ASSIGN(const auto size, stated_size(encoded));
  TCFDL_TRY(check_size(size));
  const Error damaged(Code::kInvalidArgument, "the image is damaged and cannot be decoded");
  try {
    const cv::Mat input(1, static_cast<int>(encoded.size()), CV_8UC1, const_cast<std::uint8_t*>(encoded.data()));
    cv::Mat image = cv::imdecode(input, cv::IMREAD_COLOR);
    if (image.empty()) return damaged;
    return image;
  } catch (const cv::Exception&) {
    return damaged;
  }
}

Result<Bytes> encode_png(const cv::Mat& image) {
  const Error failed(Code::kInternal, "cannot encode an image as PNG");
  try {
    Bytes encoded;
    if (!cv::imencode(".png", image, encoded, {cv::IMWRITE_PNG_COMPRESSION, 1})) return failed;
    return encoded;
  } catch (const cv::Exception&) {
    return failed;
  }
}

Result<cv::Mat> crop(const cv::Mat& image, const Quad& quad) {
  TCFDL_TRY(check_quad(image, quad));
  const float width = std::max(width_of(quad), std::hypot(quad[2].x - quad[3].x, quad[2].y - quad[3].y));
  const float height = std::max(height_of(quad), std::hypot(quad[2].x - quad[1].x, quad[2].y - quad[1].y));
  const std::array<cv::Point2f, 4> from{cv::Point2f(quad[0].x, quad[0].y), cv::Point2f(quad[1].x, quad[1].y),
                                        cv::Point2f(quad[2].x, quad[2].y), cv::Point2f(quad[3].x, quad[3].y)};
  const std::array<cv::Point2f, 4> to{cv::Point2f(0, 0), cv::Point2f(width, 0), cv::Point2f(width, height),
                                      cv::Point2f(0, height)};
  try {
    cv::Mat straight;
    cv::warpPerspective(image, straight, cv::getPerspectiveTransform(from.data(), to.data()),
                        cv::Size(static_cast<int>(width), static_cast<int>(height)), cv::INTER_CUBIC,
                        cv::BORDER_REPLICATE);
    if (height >= kUprightText * width) cv::rotate(straight, straight, cv::ROTATE_90_COUNTERCLOCKWISE);
    return straight;
  } catch (const cv::Exception& error) {
    return Error(Code::kInvalidArgument, fmt::format("the box cannot be cut out: {}", error.err));
  }
}

} // namespace plates
