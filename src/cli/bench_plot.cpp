#include "cli/bench_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <vector>

namespace tcfdl::cli {
namespace {

constexpr double kWidth = 800;
constexpr double kHeight = 520;
constexpr double kLeft = 90;
constexpr double kRight = 30;
constexpr double kTop = 60;
constexpr double kBottom = 140; ///< with the legend below the axis
/// Told apart by who does not see colours well, and by their dashes in print.
constexpr std::array kColours{"#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"};
constexpr std::array kDashes{"2 3", "none", "8 4", "2 2 8 2", "12 3", "4 4"};

struct Point {
  double x; ///< bytes
  double y; ///< milliseconds
};

struct Line {
  std::string name;
  std::vector<Point> points;
};

/// A logarithmic axis between two powers of a base.
class Axis {
public:
  Axis(double least, double most, double base, double from, double to)
      : base_(base), from_(from), to_(to), first_(std::floor(std::log(least) / std::log(base) + 1e-9)),
        last_(std::max(std::ceil(std::log(most) / std::log(base) - 1e-9), first_ + 1)) {}
  [[nodiscard]] double at(double value) const {
    return from_ + (std::log(value) / std::log(base_) - first_) / (last_ - first_) * (to_ - from_);
  }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> values;
    const auto powers = static_cast<int>(std::lround(last_ - first_));
    for (int i = 0; i <= powers; ++i) values.push_back(std::pow(base_, first_ + i));
    return values;
  }

private:
  double base_;
  double from_;
  double to_;
  double first_;
  double last_;
};

std::vector<Line> lines_of(const nlohmann::json& rows) {
  std::vector<Line> lines;
  for (const auto& row : rows) {
    const auto name = row["name"].get<std::string>();
    auto found = std::ranges::find(lines, name, &Line::name);
    if (found == lines.end()) found = lines.insert(found, Line{name, {}});
    found->points.push_back({row["size"].get<double>(), row["p50_us"].get<double>() / 1000});
  }
  return lines;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char each : text) {
    switch (each) {
    case '&': result += "&amp;"; break;
    case '<': result += "&lt;"; break;
    default: result += each;
    }
  }
  return result;
}

std::string bytes_label(double bytes) {
  if (bytes >= 1 << 20U) return fmt::format("{:.0f} MiB", bytes / (1 << 20U));
  if (bytes >= 1 << 10U) return fmt::format("{:.0f} KiB", bytes / (1 << 10U));
  return fmt::format("{:.0f}", bytes);
}

std::string text_at(double x, double y, const std::string& text, const char* more = "text-anchor=\"middle\"") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, more, escaped(text));
}

std::string grid(const Axis& x, const Axis& y) {
  std::string svg;
  for (const auto tick : x.ticks()) {
    svg += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#ddd\"/>\n", x.at(tick),
                       kTop, kHeight - kBottom);
    svg += text_at(x.at(tick), kHeight - kBottom + 18, bytes_label(tick));
  }
  for (const auto tick : y.ticks()) {
    svg += fmt::format("<line x1=\"{1}\" x2=\"{2}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" stroke=\"#ddd\"/>\n", y.at(tick),
                       kLeft, kWidth - kRight);
    svg += text_at(kLeft - 8, y.at(tick) + 4, fmt::format("{:g}", tick), "text-anchor=\"end\"");
  }
  return svg + fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#444\"/>\n",
                           kLeft, kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
}

std::string draw(const Line& line, std::size_t index, const Axis& x, const Axis& y) {
  const auto* const colour = kColours.at(index % kColours.size());
  std::string path;
  std::string dots;
  for (const auto& point : line.points) {
    path += fmt::format("{:.1f},{:.1f} ", x.at(point.x), y.at(point.y));
    dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", x.at(point.x), y.at(point.y),
                        colour);
  }
  return fmt::format(
             "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"{}\"/>\n", path,
             colour, kDashes.at(index % kDashes.size())) +
         dots;
}

std::string legend(const std::vector<Line>& lines) {
  constexpr double kEntry = 240;
  constexpr std::size_t kColumns = 3;
  std::string svg;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto left = kLeft + kEntry * static_cast<double>(i % kColumns);
    const auto row = i / kColumns;
    const auto top = kHeight - 60 + 22 * static_cast<double>(row);
    svg += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"2\" "
                       "stroke-dasharray=\"{}\"/>\n",
                       left, left + 36, top - 4, top - 4, kColours.at(i % kColours.size()),
                       kDashes.at(i % kDashes.size()));
    svg += text_at(left + 44, top, lines[i].name, "text-anchor=\"start\"");
  }
  return svg;
}

} // namespace

std::string plot_rows(const nlohmann::json& rows, const PlotText& text) {
  const auto lines = lines_of(rows);
  Point least{1e18, 1e18};
  Point most{1, 1e-6};
  for (const auto& line : lines) {
    for (const auto& point : line.points) {
      least = {std::min(least.x, point.x), std::min(least.y, point.y)};
      most = {std::max(most.x, point.x), std::max(most.y, point.y)};
    }
  }
  if (lines.empty()) least = most;
  const Axis x(least.x, most.x, 4, kLeft, kWidth - kRight);
  const Axis y(least.y, most.y, 10, kHeight - kBottom, kTop);
  auto svg =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
                  "font-family=\"sans-serif\" font-size=\"13\">\n"
                  "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
                  kWidth, kHeight);
  svg += text_at(kWidth / 2, 32, text.title, "text-anchor=\"middle\" font-size=\"16\"");
  svg += grid(x, y);
  svg += text_at(kLeft + (kWidth - kLeft - kRight) / 2, kHeight - kBottom + 44, text.x);
  const auto middle = kTop + (kHeight - kTop - kBottom) / 2;
  svg += text_at(24, middle, text.y,
                 fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 24 {})\"", middle).c_str());
  for (std::size_t i = 0; i < lines.size(); ++i) svg += draw(lines[i], i, x, y);
  return svg + legend(lines) + "</svg>\n";
}

} // namespace tcfdl::cli
