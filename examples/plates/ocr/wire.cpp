#include "wire.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace plates {
namespace {

using nlohmann::json;
using tcfdl::Bytes;
using tcfdl::BytesView;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

double rounded(float value, double parts) { return std::round(static_cast<double>(value) * parts) / parts; }

json json_of(const Quad& quad) {
  auto points = json::array();
  for (const auto& [x, y] : quad) points.push_back({rounded(x, 10), rounded(y, 10)});
  return points;
}

json json_of(const ReadText& read) { return {{"text", read.text}, {"confidence", rounded(read.confidence, 10'000)}}; }

json json_of(const tcfdl::CallReport& step) {
  return {
      {"function", step.function}, {"cluster", step.cluster},   {"node", step.node},
      {"instance", step.instance}, {"tee_kind", step.tee_kind}, {"protection", tcfdl::protection_name(step.protection)},
      {"seal_us", step.seal_us},   {"wait_us", step.wait_us},   {"transfer_us", step.transfer_us},
      {"run_us", step.run_us},     {"open_us", step.open_us}};
}

Bytes bytes_of(const json& value) {
  return tcfdl::to_bytes(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

Quad quad_from(const json& points) {
  if (points.size() != 4) throw json::other_error::create(501, "a box has four corners", &points);
  Quad quad;
  std::ranges::transform(points, quad.begin(),
                         [](const json& point) { return Point{point.at(0).get<float>(), point.at(1).get<float>()}; });
  return quad;
}

// Runs `read` on parsed JSON and turns what nlohmann throws into an error that names the function.
template <class Value, class Read> Result<Value> parsed(BytesView text, std::string_view function, Read read) {
  try {
    return read(json::parse(tcfdl::as_text(text)));
  } catch (const json::exception& error) {
    return Error(Code::kInternal, std::string(function) + " gave an answer of another form: " + error.what());
  }
}

} // namespace

Bytes to_json(const Detection& detection) {
  auto boxes = json::array();
  for (const auto& box : detection.boxes) {
    boxes.push_back({{"points", json_of(box.points)}, {"score", rounded(box.score, 10'000)}});
  }
  return bytes_of({{"width", detection.width}, {"height", detection.height}, {"boxes", std::move(boxes)}});
}

Bytes to_json(const ReadText& read) { return bytes_of(json_of(read)); }

Bytes to_json(const Plate& plate) {
  auto lines = json::array();
  for (const auto& line : plate.lines) {
    lines.push_back(json_of(line.read));
    lines.back()["box"] = json_of(line.box);
  }
  auto steps = json::array();
  for (const auto& step : plate.steps) steps.push_back(json_of(step));
  return bytes_of({{"text", plate.text},
                   {"confidence", rounded(plate.confidence, 10'000)},
                   {"box", json_of(plate.box)},
                   {"lines", std::move(lines)},
                   {"steps", std::move(steps)}});
}

Result<Detection> parse_detection(BytesView text) {
  return parsed<Detection>(text, "text/detect", [](const json& value) {
    Detection detection{value.at("width"), value.at("height"), {}};
    for (const auto& box : value.at("boxes")) {
      detection.boxes.push_back({quad_from(box.at("points")), box.at("score").get<float>()});
    }
    return detection;
  });
}

Result<ReadText> parse_read_text(BytesView text) {
  return parsed<ReadText>(text, "text/recognise", [](const json& value) {
    return ReadText{value.at("text"), value.at("confidence").get<float>()};
  });
}

} // namespace plates
