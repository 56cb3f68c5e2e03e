// Reads a line of text: PP-OCRv4's recognition network and the decoding of its output (connectionist temporal
// classification, greedy).
#pragma once

#include "geometry.hpp"
#include "model.hpp"

#include <opencv2/core.hpp>

namespace plates {

/// What the network takes: 48 pixels high, as wide as the line needs (320 to 3200 pixels), -1 to 1, padded with 0 on
/// the right.
Tensor recognition_input(const cv::Mat& line);

/// Decodes `steps` rows of probabilities over `symbols` (symbol 0 is the blank): the best of each step, repetitions
/// joined, blanks dropped. The confidence is the mean of what is kept, 0 for an empty text.
ReadText ctc_decode(const std::vector<float>& probabilities, const std::vector<std::string>& symbols);

/// Reads the alphabet: a character a line; with the blank before and a space after. FAILED_PRECONDITION when it cannot.
tcfdl::Result<std::vector<std::string>> load_symbols(const std::filesystem::path& file);

/// Thread-safe.
class TextRecogniser {
public:
  /// Loads ch_PP-OCRv4_rec_infer.onnx and ppocr_keys_v1.txt from a directory. FAILED_PRECONDITION when it cannot.
  static tcfdl::Result<TextRecogniser> load(const std::filesystem::path& models, unsigned threads);

  [[nodiscard]] tcfdl::Result<ReadText> recognise(const cv::Mat& line) const;

private:
  TextRecogniser(Model model, std::vector<std::string> symbols)
      : model_(std::move(model)), symbols_(std::move(symbols)) {}
  Model model_;
  std::vector<std::string> symbols_;
};

} // namespace plates
