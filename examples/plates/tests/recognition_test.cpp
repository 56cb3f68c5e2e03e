#include "recognition.hpp"

#include <gtest/gtest.h>

namespace plates {
namespace {

const std::vector<std::string> kSymbols{"", "A", "B", "ü", " "};

// One row for each step: the symbol's probability, the rest of it on the blank's neighbour.
std::vector<float> steps(const std::vector<std::pair<std::size_t, float>>& best) {
  std::vector<float> rows;
  for (const auto& [symbol, probability] : best) {
    std::vector<float> row(kSymbols.size(), 0.01F);
    row[symbol] = probability;
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

TEST(CtcDecode, JoinsRepetitionsAndDropsBlanks) {
  const auto read = ctc_decode(steps({{0, 1}, {1, 0.9F}, {1, 0.5F}, {0, 1}, {2, 0.7F}, {0, 1}}), kSymbols);
  EXPECT_EQ(read.text, "AB");
  EXPECT_FLOAT_EQ(read.confidence, 0.8F);
}

TEST(CtcDecode, KeepsADoubledCharacterThatABlankParts) {
  EXPECT_EQ(ctc_decode(steps({{1, 1}, {0, 1}, {1, 1}, {4, 1}, {3, 1}}), kSymbols).text, "AA ü");
}

TEST(CtcDecode, GivesNothingForBlanksOnly) {
  const auto read = ctc_decode(steps({{0, 1}, {0, 1}}), kSymbols);
  EXPECT_EQ(read.text, "");
  EXPECT_EQ(read.confidence, 0);
}

TEST(CtcDecode, IgnoresARowThatIsCutOff) {
  auto rows = steps({{1, 1}, {2, 1}});
  rows.pop_back();
  EXPECT_EQ(ctc_decode(rows, kSymbols).text, "A");
  EXPECT_EQ(ctc_decode({}, kSymbols).text, "");
}

TEST(LoadSymbols, SurroundsTheAlphabetWithBlankAndSpace) {
  const auto symbols = load_symbols(std::filesystem::path(PLATES_MODELS_DIR) / "ppocr_keys_v1.txt");
  ASSERT_TRUE(symbols);
  EXPECT_EQ(symbols->size(), 6625U);
  EXPECT_EQ(symbols->front(), "");
  EXPECT_EQ(symbols->back(), " ");
  EXPECT_FALSE(load_symbols("missing.txt"));
}

TEST(RecognitionInput, PadsShortLinesAndBoundsLongOnes) {
  const auto short_line = recognition_input(cv::Mat(48, 96, CV_8UC3, cv::Scalar(255, 255, 255)));
  EXPECT_EQ(short_line.shape, (std::vector<std::int64_t>{1, 3, 48, 320}));
  EXPECT_FLOAT_EQ(short_line.values[95], 1);
  EXPECT_FLOAT_EQ(short_line.values[96], 0);
  EXPECT_EQ(recognition_input(cv::Mat(10, 100, CV_8UC3)).shape[3], 480);
  EXPECT_EQ(recognition_input(cv::Mat(1, 5000, CV_8UC3)).shape[3], 3200);
}

} // namespace
} // namespace plates
