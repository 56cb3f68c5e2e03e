// Encoded images of strangers, decoded within bounds.
#pragma once

#include "geometry.hpp"

#include <cstddef>
#include <opencv2/core.hpp>
#include <tcfdl/bytes.hpp>
#include <tcfdl/result.hpp>

namespace plates {

constexpr std::size_t kMostEncodedBytes = std::size_t{20} << 20U;
constexpr std::uint64_t kMostPixels = 40'000'000;

struct ImageSize {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

/// The size that the header of a PNG, JPEG, BMP or WebP image states, without decoding it. INVALID_ARGUMENT for other
/// content, for a cut header and for a JPEG without its end.
tcfdl::Result<ImageSize> stated_size(tcfdl::BytesView encoded);

/// Decodes to 8-bit blue, green, red, upright as EXIF says. INVALID_ARGUMENT for what is empty, longer than
/// kMostEncodedBytes, larger than kMostPixels, no image, or damaged.
tcfdl::Result<cv::Mat> decode_image(tcfdl::BytesView encoded);

/// Encodes without loss.
tcfdl::Result<tcfdl::Bytes> encode_png(const cv::Mat& image);

/// Cuts a quadrilateral out and straightens it. Text that runs upwards (the cut is higher than 1.5 times its width) is
/// laid down. INVALID_ARGUMENT when the quadrilateral has no area or leaves the image by more than its size.
tcfdl::Result<cv::Mat> crop(const cv::Mat& image, const Quad& quad);

} // namespace plates
