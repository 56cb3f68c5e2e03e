// Finds lines of text: PP-OCRv4's detection network (differentiable binarisation, arXiv:1911.08947) around which stand
// its preparation of images and the reading of its map.
#pragma once

#include "geometry.hpp"
#include "model.hpp"

#include <opencv2/core.hpp>

namespace plates {

struct DetectionSettings {
  int longest_side = 960;     ///< pixels; larger images are scaled down to it
  float threshold = 0.3F;     ///< of the map: text or not
  float box_threshold = 0.6F; ///< of the mean within a box
  float unclip_ratio = 1.5F;  ///< the network shrinks text by this; boxes grow back by area * ratio / perimeter
  std::size_t most_boxes = 32;
};

/// What the network takes: scaled to sides that are multiples of 32, normalised, planes of blue, green, red.
Tensor detection_input(const cv::Mat& image, const DetectionSettings& settings);

/// The boxes in a map of probabilities (CV_32F), in pixels of an image of `size`, in reading order; the best
/// `most_boxes` of them.
std::vector<TextBox> boxes_of_map(const cv::Mat& map, cv::Size size, const DetectionSettings& settings);

/// Thread-safe.
class TextDetector {
public:
  /// Loads ch_PP-OCRv4_det_infer.onnx from a directory. FAILED_PRECONDITION when it cannot.
  static tcfdl::Result<TextDetector> load(const std::filesystem::path& models, unsigned threads);

  [[nodiscard]] tcfdl::Result<std::vector<TextBox>> detect(const cv::Mat& image) const;

private:
  explicit TextDetector(Model model) : model_(std::move(model)) {}
  Model model_;
  DetectionSettings settings_;
};

} // namespace plates
