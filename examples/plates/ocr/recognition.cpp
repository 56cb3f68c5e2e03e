#include "recognition.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

constexpr int kHeight = 48;
constexpr int kLeastWidth = 320;
constexpr int kMostWidth = 3200;

} // namespace

Tensor recognition_input(const cv::Mat& line) {
  const double ratio = static_cast<double>(line.cols) / line.rows;
  const int text_width = std::clamp(static_cast<int>(std::ceil(kHeight * ratio)), 1, kMostWidth);
  const int width = std::max(text_width, kLeastWidth);
  cv::Mat resized;
  cv::resize(line, resized, cv::Size(text_width, kHeight), 0, 0, cv::INTER_LINEAR);
  const auto plane = static_cast<std::size_t>(kHeight) * static_cast<std::size_t>(width);
  Tensor input{{1, 3, kHeight, width}, std::vector<float>(3 * plane)};
  for (int y = 0; y < kHeight; ++y) {
    const auto* const row = resized.ptr<cv::Vec3b>(y);
    for (int x = 0; x < text_width; ++x) {
      const auto at = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
      for (int c = 0; c < 3; ++c) {
        input.values[static_cast<std::size_t>(c) * plane + at] = static_cast<float>(row[x][c]) / 127.5F - 1.F;
      }
    }
  }
  return input;
}

ReadText ctc_decode(const std::vector<float>& probabilities, const std::vector<std::string>& symbols) {
  ReadText read;
  float sum = 0;
  std::size_t kept = 0;
  std::size_t previous = 0;
  const auto width = static_cast<std::ptrdiff_t>(symbols.size());
  for (auto row = probabilities.begin(); probabilities.end() - row >= width && width > 0; row += width) {
    const auto best_at = std::max_element(row, row + width);
    const auto best = static_cast<std::size_t>(best_at - row);
    if (best != 0 && best != previous) {
      read.text += symbols[best];
      sum += *best_at;
      ++kept;
    }
    previous = best;
  }
  read.confidence = kept == 0 ? 0 : sum / static_cast<float>(kept);
  return read;
}

Result<std::vector<std::string>> load_symbols(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> symbols{""};
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    symbols.push_back(line);
  }
  if (symbols.size() == 1) {
    return Error(Code::kFailedPrecondition, fmt::format("cannot read the alphabet {}", file.string()));
  }
  symbols.emplace_back(" ");
  return symbols;
}

Result<TextRecogniser> TextRecogniser::load(const std::filesystem::path& models, unsigned threads) {
  TCFDL_ASSIGN(auto model, Model::load(models / "ch_PP-OCRv4_rec_infer.onnx", threads));
  TCFDL_ASSIGN(auto symbols, load_symbols(models / "ppocr_keys_v1.txt"));
  return TextRecogniser(std::move(model), std::move(symbols));
}

Result<ReadText> TextRecogniser::recognise(const cv::Mat& line) const {
  auto input = recognition_input(line);
  TCFDL_ASSIGN(const auto output, model_.run(input));
  if (output.shape.size() != 3 || output.shape[2] != static_cast<std::int64_t>(symbols_.size())) {
    return Error(Code::kInternal, "the recognition network's output does not fit its alphabet");
  }
  return ctc_decode(output.values, symbols_);
}

} // namespace plates
