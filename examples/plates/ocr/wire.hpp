// What the functions say to each other, in JSON; the README of this example describes it.
#pragma once

#include "geometry.hpp"

#include <tcfdl/client.hpp>

namespace plates {

/// The answer of text/detect.
struct Detection {
  int width = 0;
  int height = 0;
  std::vector<TextBox> boxes;
};

/// A line with its place in the whole image.
struct Line {
  ReadText read;
  Quad box;
};

/// The answer of plates/read.
struct Plate {
  std::string text;
  float confidence = 0;
  Quad box;
  std::vector<Line> lines;
  std::vector<tcfdl::CallReport> steps;
};

tcfdl::Bytes to_json(const Detection& detection);
tcfdl::Bytes to_json(const ReadText& read);
tcfdl::Bytes to_json(const Plate& plate);

/// INTERNAL when another function's answer is not of its form.
tcfdl::Result<Detection> parse_detection(tcfdl::BytesView json);
tcfdl::Result<ReadText> parse_read_text(tcfdl::BytesView json);

} // namespace plates
