#include "plate.hpp"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

constexpr std::array kFontFiles{
    "dejavu/DejaVuSans-Bold.ttf",
    "dejavu/DejaVuSans.ttf",
    "dejavu/DejaVuSansMono-Bold.ttf",
    "dejavu/DejaVuSerif-Bold.ttf",
    "liberation/LiberationSans-Bold.ttf",
    "liberation/LiberationSans-Regular.ttf",
    "liberation/LiberationMono-Bold.ttf",
    "liberation/LiberationSerif-Bold.ttf",
    "liberation/LiberationSansNarrow-Bold.ttf",
};

struct Colours {
  cv::Scalar ground; // blue, green, red
  cv::Scalar ink;
};
const std::array kColours{
    Colours{{245, 245, 245}, {20, 20, 20}}, Colours{{235, 240, 238}, {90, 30, 10}},
    Colours{{60, 200, 245}, {15, 15, 15}},  Colours{{250, 250, 250}, {25, 25, 150}},
    Colours{{40, 40, 40}, {235, 235, 235}}, Colours{{130, 60, 20}, {245, 245, 245}},
};

std::string letters(Random& random, std::size_t count) {
  constexpr std::string_view kLetters = "ABCDEFGHJKLMNPRSTUVWXYZ";
  std::string text;
  while (count-- > 0) text += kLetters[random.below(kLetters.size())];
  return text;
}

std::string digits(Random& random, std::size_t count) {
  std::string text;
  while (count-- > 0) text += static_cast<char>('0' + random.below(10));
  return text;
}

cv::Mat stacked(const std::vector<cv::Mat>& rows, int gap) {
  const auto width = std::ranges::max_element(rows, {}, &cv::Mat::cols)->cols;
  int height = -gap;
  for (const auto& row : rows) height += row.rows + gap;
  cv::Mat all = cv::Mat::zeros(height, width, CV_8UC1);
  int y = 0;
  for (const auto& row : rows) {
    row.copyTo(all(cv::Rect((width - row.cols) / 2, y, row.cols, row.rows)));
    y += row.rows + gap;
  }
  return all;
}

} // namespace

tcfdl::Result<std::vector<Font>> load_fonts(const std::filesystem::path& directory) {
  std::vector<Font> fonts;
  for (const auto* const file : kFontFiles) {
    TCFDL_ASSIGN(auto font, Font::open(directory / file));
    fonts.push_back(std::move(font));
  }
  return fonts;
}

std::vector<std::string> random_plate_text(Random& random) {
  switch (random.below(6)) {
  case 0: return {letters(random, 1 + random.below(3)) + "-" + letters(random, 2) + " " + digits(random, 4)};
  case 1: return {letters(random, 2) + " " + digits(random, 2) + " " + letters(random, 2) + " " + digits(random, 4)};
  case 2: return {letters(random, 2) + digits(random, 2) + " " + letters(random, 3)};
  case 3: return {letters(random, 2) + "-" + digits(random, 3) + "-" + letters(random, 2)};
  case 4: return {digits(random, 4) + " " + letters(random, 3)};
  default: return {letters(random, 2) + " " + digits(random, 2), letters(random, 2) + " " + digits(random, 4)};
  }
}

cv::Mat draw_plate(const std::vector<std::string>& lines, const Font& font, Random& random) {
  constexpr int kHeight = 96; // of capitals, in pixels
  const auto& [ground, ink] = kColours.at(random.below(kColours.size()));
  const int spacing = static_cast<int>(random.between(2, 14));
  std::vector<cv::Mat> rows;
  for (const auto& line : lines) rows.push_back(font.draw(line, kHeight, spacing));
  const cv::Mat text = stacked(rows, kHeight / 2);
  const int margin = static_cast<int>(random.between(0.35, 0.6) * kHeight);
  cv::Mat plate(text.rows + 2 * margin, text.cols + 2 * margin, CV_8UC3, ground);
  const cv::Rect frame(6, 6, plate.cols - 12, plate.rows - 12);
  cv::rectangle(plate, frame, ink, 4);
  cv::Mat place = plate(cv::Rect(margin, margin, text.cols, text.rows));
  for (int y = 0; y < place.rows; ++y) {
    for (int x = 0; x < place.cols; ++x) {
      const double share = text.at<std::uint8_t>(y, x) / 255.0;
      for (int c = 0; c < 3; ++c) {
        place.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<std::uint8_t>(ground[c] * (1 - share) + ink[c] * share);
      }
    }
  }
  return plate;
}

} // namespace plates
