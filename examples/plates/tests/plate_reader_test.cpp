#include "image.hpp"
#include "plate_reader.hpp"
#include "wire.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace plates {
namespace {

using tcfdl::BytesView;
using tcfdl::CallResult;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;
using testing::HasSubstr;

// Boxes in a column; the width of each says which it is.
Detection column(std::size_t count) {
  Detection detection{400, 400, {}};
  for (std::size_t i = 0; i < count; ++i) {
    const auto y = static_cast<float>(10 + 30 * i);
    const auto right = static_cast<float>(110 + i);
    detection.boxes.push_back({{Point{10, y}, {right, y}, {right, y + 20}, {10, y + 20}}, 0.9F});
  }
  return detection;
}

std::size_t which(BytesView png) { return stated_size(png).value().width - 100; }

tcfdl::Bytes image() { return encode_png(cv::Mat(400, 400, CV_8UC3, cv::Scalar(1, 2, 3))).value(); }

CallResult answer(const std::string& function, tcfdl::Bytes body) {
  CallResult result{std::move(body), {}};
  result.report.function = function;
  result.report.run_us = 5;
  return result;
}

// Answers text/detect with a column, text/recognise with the given lines.
CallFunction fake(const std::vector<ReadText>& lines) {
  return [=](const std::string& function, BytesView body) -> Result<CallResult> {
    if (function == kDetectFunction) return answer(function, to_json(column(lines.size())));
    return answer(function, to_json(lines.at(which(body))));
  };
}

nlohmann::json json_of(const tcfdl::Bytes& bytes) { return nlohmann::json::parse(tcfdl::as_text(bytes)); }

TEST(PlateReader, JoinsReadableLinesInOrder) {
  const auto plate = read_plate(fake({{"b-mw  ", 0.9F}, {"?", 0.2F}, {" 48 21", 0.8F}, {"  ", 0.9F}}), image());
  ASSERT_TRUE(plate) << plate.error().message();
  const auto json = json_of(*plate);
  EXPECT_EQ(json["text"], "B-MW 48 21");
  EXPECT_NEAR(json["confidence"], (4 * 0.9 + 5 * 0.8) / 9, 0.001);
  EXPECT_EQ(json["lines"].size(), 2U);
  EXPECT_EQ(json["lines"][1]["text"], " 48 21");
  EXPECT_EQ(json["box"].size(), 4U);
  ASSERT_EQ(json["steps"].size(), 5U);
  EXPECT_EQ(json["steps"][0]["function"], "text/detect");
  EXPECT_EQ(json["steps"][4]["run_us"], 5);
  EXPECT_EQ(json["steps"][4]["protection"], "eae");
}

TEST(PlateReader, SaysWhenNothingIsReadable) {
  for (const auto& lines : {std::vector<ReadText>{}, std::vector<ReadText>{{"X", 0.1F}}}) {
    const auto plate = read_plate(fake(lines), image());
    ASSERT_FALSE(plate);
    EXPECT_EQ(plate.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(plate.error().message(), "no readable text in the image");
  }
}

TEST(PlateReader, ReadsManyLinesEachOnce) {
  std::vector<ReadText> lines;
  for (int i = 0; i < 11; ++i) lines.push_back({std::to_string(i), 0.9F});
  const auto plate = read_plate(fake(lines), image());
  ASSERT_TRUE(plate);
  EXPECT_EQ(json_of(*plate)["text"], "0 1 2 3 4 5 6 7 8 9 10");
}

TEST(PlateReader, PassesErrorsOnWithTheirCodes) {
  for (const auto* const failing : {kDetectFunction, kRecogniseFunction}) {
    const auto good = fake({{"A", 0.9F}, {"B", 0.9F}});
    const auto plate = read_plate(
        [&](const std::string& function, BytesView body) -> Result<CallResult> {
          if (function == failing) return Error(Code::kResourceExhausted, "the queue is full");
          return good(function, body);
        },
        image());
    ASSERT_FALSE(plate);
    EXPECT_EQ(plate.error().code(), Code::kResourceExhausted);
    EXPECT_EQ(plate.error().message(), std::string(failing) + ": the queue is full");
  }
}

TEST(PlateReader, BeginsNoCallAfterAnError) {
  std::atomic<int> calls = 0;
  const auto plate = read_plate(
      [&](const std::string& function, BytesView) -> Result<CallResult> {
        if (function == kDetectFunction) return answer(function, to_json(column(12)));
        ++calls;
        return Error(Code::kCancelled, "cancelled");
      },
      image());
  ASSERT_FALSE(plate);
  EXPECT_LE(calls, 8);
}

TEST(PlateReader, RefusesAnswersOfAnotherForm) {
  for (const auto* const wrong :
       {"", "[]", "{\"width\":1}", R"({"width":1,"height":1,"boxes":[{"points":[[1,2]],"score":1}]})",
        R"({"width":1,"height":1,"boxes":[{"points":[[1],[1],[1],[1]],"score":1}]})"}) {
    const auto plate =
        read_plate([&](const std::string& function,
                       BytesView) -> Result<CallResult> { return answer(function, tcfdl::to_bytes(wrong)); },
                   image());
    ASSERT_FALSE(plate) << wrong;
    EXPECT_EQ(plate.error().code(), Code::kInternal) << wrong;
    EXPECT_THAT(plate.error().message(), HasSubstr("text/detect"));
  }
}

TEST(PlateReader, RefusesABodyThatIsNoImageBeforeAnyCall) {
  const auto plate = read_plate(
      [](const std::string&, BytesView) -> Result<CallResult> {
        ADD_FAILURE() << "called";
        return Error(Code::kInternal, "");
      },
      tcfdl::as_bytes("text"));
  ASSERT_FALSE(plate);
  EXPECT_EQ(plate.error().code(), Code::kInvalidArgument);
}

} // namespace
} // namespace plates
