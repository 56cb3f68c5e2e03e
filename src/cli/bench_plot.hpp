// Rows of benchmarks as a picture.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tcfdl::cli {

struct PlotText {
  std::string title;
  std::string x;
  std::string y;
};

/// An SVG document: the medians of `bench_row`s over their sizes, a line a name, both axes logarithmic. Times are
/// written in milliseconds.
std::string plot_rows(const nlohmann::json& rows, const PlotText& text);

} // namespace tcfdl::cli
