#include "cli/bench_plot.hpp"

#include <gmock/gmock.h>

namespace tcfdl::cli {
namespace {

using testing::HasSubstr;

nlohmann::json row(const char* name, int size, double micros) {
  return {{"name", name}, {"size", size}, {"p50_us", micros}};
}

TEST(BenchPlot, DrawsALineANameWithAxesAndLegend) {
  const auto rows =
      nlohmann::json::array({row("one", 1024, 10), row("two", 1024, 100), row("one", 4096, 20), row("two", 4096, 400)});
  const auto svg = plot_rows(rows, {.title = "a < b", .x = "bytes", .y = "milliseconds"});
  EXPECT_THAT(svg, testing::StartsWith("<svg"));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  for (const auto* text :
       {">a &lt; b<", ">bytes<", ">milliseconds<", ">1 KiB<", ">4 KiB<", ">0.01<", ">1<", ">one<", ">two<"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  std::size_t lines = 0;
  for (auto at = svg.find("<polyline"); at != std::string::npos; at = svg.find("<polyline", at + 1)) ++lines;
  EXPECT_EQ(lines, 2U);
}

TEST(BenchPlot, OfNothingIsStillADocument) {
  EXPECT_THAT(plot_rows(nlohmann::json::array(), {}), testing::EndsWith("</svg>\n"));
}

} // namespace
} // namespace tcfdl::cli
