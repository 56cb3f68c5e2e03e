#include "plate_reader.hpp"

#include "image.hpp"
#include "wire.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

namespace plates {
namespace {

using tcfdl::Bytes;
using tcfdl::BytesView;
using tcfdl::CallReport;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

constexpr float kReadable = 0.5F;      // less confident lines are no text
constexpr std::size_t kMostAtOnce = 8; // calls in flight for one image
constexpr std::size_t kMostLines = 32; // boxes that are read for one image

struct LineCall {
  Line line;
  CallReport report;
};

Result<LineCall> read_line(const CallFunction& call, const cv::Mat& image, const Quad& box) {
  TCFDL_ASSIGN(const auto cut, crop(image, box));
  TCFDL_ASSIGN(const auto png, encode_png(cut));
  auto answer = call(kRecogniseFunction, png);
  if (!answer) return answer.error().within(kRecogniseFunction);
  TCFDL_ASSIGN(auto read, parse_read_text(answer->body));
  return LineCall{{std::move(read), box}, std::move(answer->report)};
}

// Reads all boxes, kMostAtOnce at a time; after an error no further call begins. Results stand in the boxes' order.
Result<std::vector<LineCall>> read_lines(const CallFunction& call, const cv::Mat& image,
                                         const std::vector<TextBox>& boxes) {
  std::vector<std::optional<Result<LineCall>>> answers(boxes.size());
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (auto i = next++; i < boxes.size() && !failed; i = next++) {
      answers[i] = read_line(call, image, boxes[i].points);
      if (!*answers[i]) failed = true;
    }
  };
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 1; i < std::min(boxes.size(), kMostAtOnce); ++i) workers.emplace_back(work);
    work();
  }
  std::vector<LineCall> lines;
  for (auto& answer : answers) {
    if (answer && !*answer) return std::move(*answer).error();
    if (answer) lines.push_back(**std::move(answer));
  }
  return lines;
}

bool readable(const Line& line) { return line.read.confidence >= kReadable && !normalised(line.read.text).empty(); }

// The readable lines as one text, each weighing in the confidence as much as its length.
void join_lines(Plate& plate) {
  std::vector<Quad> boxes;
  float sum = 0;
  float length = 0;
  for (const auto& line : plate.lines) {
    const auto text = normalised(line.read.text);
    plate.text += (plate.text.empty() ? "" : " ") + text;
    sum += line.read.confidence * static_cast<float>(text.size());
    length += static_cast<float>(text.size());
    boxes.push_back(line.box);
  }
  plate.confidence = sum / length;
  plate.box = boxes.size() == 1 ? boxes.front() : enclosing_quad(boxes);
}

} // namespace

std::string normalised(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    result += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

Result<Bytes> read_plate(const CallFunction& call, BytesView encoded) {
  TCFDL_ASSIGN(const auto image, decode_image(encoded));
  auto answer = call(kDetectFunction, encoded);
  if (!answer) return answer.error().within(kDetectFunction);
  TCFDL_ASSIGN(auto detection, parse_detection(answer->body));
  if (detection.boxes.size() > kMostLines) detection.boxes.resize(kMostLines);
  TCFDL_ASSIGN(auto lines, read_lines(call, image, detection.boxes));
  Plate plate;
  plate.steps.push_back(std::move(answer->report));
  for (auto& [line, report] : lines) {
    plate.steps.push_back(std::move(report));
    if (readable(line)) plate.lines.push_back(std::move(line));
  }
  if (plate.lines.empty()) return Error(Code::kInvalidArgument, "no readable text in the image");
  join_lines(plate);
  return to_json(plate);
}

} // namespace plates
