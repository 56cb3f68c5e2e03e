#include "cli/model_plan_text.hpp"

#include "cli/models.hpp"

namespace tcfdl::cli {
namespace {

using inference::ModelPlan;
using inference::StagePlan;

std::string milliseconds(double micros) { return fmt::format("{:.2f} ms", micros / 1000); }

std::uint64_t received_bytes(const StagePlan& stage) {
  std::uint64_t bytes = 0;
  for (const auto& input : stage.inputs) bytes += input.bytes;
  return bytes;
}

std::string stage_table(const ModelPlan& plan) {
  std::vector<std::vector<std::string>> rows{
      {"STAGE", "NODE", "OPERATORS", "WEIGHTS", "PREDICTED", "MEASURED", "MEMORY", "TIME", "RUN", "RECEIVES"}};
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const auto& stage = plan.stages[i];
    rows.push_back({std::to_string(i + 1), stage.node, std::to_string(stage.operators), bytes_text(stage.weights),
                    bytes_text(stage.predicted_memory), bytes_text(stage.measured_memory), bytes_text(stage.memory),
                    milliseconds(stage.predicted_us), milliseconds(stage.measured_us),
                    bytes_text(received_bytes(stage))});
  }
  return table(rows);
}

std::string cut_table(const ModelPlan& plan) {
  std::vector<std::vector<std::string>> rows{{"FROM", "TO", "BYTES", "SHAPE", "TENSOR"}};
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    for (const auto& input : plan.stages[i].inputs) {
      if (input.from == 0) continue;
      rows.push_back({std::to_string(input.from), std::to_string(i + 1), bytes_text(input.bytes),
                      inference::shape_text(input.info.shape), input.info.name});
    }
  }
  return rows.size() == 1 ? std::string() : "\n" + table(rows);
}

std::string alternatives_table(const ModelPlan& plan) {
  std::vector<std::vector<std::string>> rows{{"STAGES", "BOTTLENECK", "LATENCY"}};
  for (const auto& each : plan.alternatives) {
    rows.push_back({std::to_string(each.stages), milliseconds(each.bottleneck_us), milliseconds(each.latency_us)});
  }
  return rows.size() < 3 ? std::string() : "\npredicted for other numbers of stages:\n" + table(rows);
}

// Sizes of the picture, in points.
constexpr double kColumn = 190;
constexpr double kMargin = 70;
constexpr double kBoxTop = 150;
constexpr double kBoxHeight = 92;
constexpr double kBarsTop = 320;
constexpr double kBarsHeight = 200;
constexpr double kBarWidth = 46;
constexpr double kHighestArc = 110;

std::string svg_escaped(const std::string& text) {
  std::string result;
  for (const char each : text) {
    switch (each) {
    case '&': result += "&amp;"; break;
    case '<': result += "&lt;"; break;
    case '"': result += "&quot;"; break;
    default: result += each;
    }
  }
  return result;
}

std::string svg_text(double x, double y, const std::string& text, const char* more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" {}>{}</text>\n", x, y, more,
                     svg_escaped(text));
}

double middle_of(std::size_t stage) { return kMargin + kColumn * static_cast<double>(stage) + kColumn / 2; }

std::string svg_box(const StagePlan& stage, std::size_t index) {
  const auto x = middle_of(index);
  auto svg = fmt::format(
      "<rect x=\"{:.1f}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"#e8f1f8\" stroke=\"#0072b2\"/>\n", x - 70,
      kBoxTop, 140, kBoxHeight);
  svg += svg_text(x, kBoxTop + 22, fmt::format("{} on {}", index + 1, stage.node), "font-weight=\"bold\"");
  svg += svg_text(x, kBoxTop + 42, fmt::format("{} operators", stage.operators));
  svg += svg_text(x, kBoxTop + 60, bytes_text(stage.weights) + " of weights");
  return svg + svg_text(x, kBoxTop + 78, milliseconds(stage.predicted_us));
}

/// A neighbour's tensors go straight, others in an arc over the stages between.
std::string svg_edge(std::size_t from, std::size_t to, std::size_t tensors, std::uint64_t bytes) {
  const auto label = fmt::format("{} in {}", bytes_text(bytes), tensors);
  const auto middle = kBoxTop + kBoxHeight / 2;
  if (to == from + 1) {
    const auto left = middle_of(from) + 70;
    const auto right = middle_of(to) - 70;
    return fmt::format(
               "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{}\" y2=\"{}\" stroke=\"#444\" marker-end=\"url(#tip)\"/>\n",
               left, right - 4, middle, middle) +
           svg_text((left + right) / 2, middle + kBoxHeight / 2 + 18, label);
  }
  const auto top = kBoxTop - std::min(kHighestArc, 24.0 * static_cast<double>(to - from));
  const auto centre = (middle_of(from) + middle_of(to)) / 2;
  return fmt::format(
             "<path d=\"M {0:.1f} {1} C {0:.1f} {2:.1f} {3:.1f} {2:.1f} {3:.1f} {4}\" fill=\"none\" stroke=\"#d55e00\" "
             "marker-end=\"url(#tip)\"/>\n",
             middle_of(from) + 20, kBoxTop, top, middle_of(to) - 20, kBoxTop - 5) +
         svg_text(centre, kBoxTop - (kBoxTop - top) * 0.75 - 5, label, "fill=\"#d55e00\"");
}

std::string svg_edges(const ModelPlan& plan) {
  std::string svg;
  for (std::size_t to = 0; to < plan.stages.size(); ++to) {
    for (std::size_t from = 0; from < to; ++from) {
      std::size_t tensors = 0;
      std::uint64_t bytes = 0;
      for (const auto& input : plan.stages[to].inputs) {
        if (input.from != from + 1) continue;
        ++tensors;
        bytes += input.bytes;
      }
      if (tensors > 0) svg += svg_edge(from, to, tensors, bytes);
    }
  }
  return svg;
}

std::string svg_bar(double x, std::uint64_t bytes, double scale, const char* colour) {
  const auto height = static_cast<double>(bytes) * scale;
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x,
                     kBarsTop + kBarsHeight - height, kBarWidth, height, colour) +
         svg_text(x + kBarWidth / 2, kBarsTop + kBarsHeight - height - 4, bytes_text(bytes), "font-size=\"11\"");
}

std::string svg_memory(const ModelPlan& plan) {
  std::uint64_t most = 1;
  for (const auto& stage : plan.stages)
    most = std::max({most, stage.memory, stage.predicted_memory, stage.measured_memory});
  const auto scale = kBarsHeight / static_cast<double>(most);
  std::string svg;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const auto& stage = plan.stages[i];
    const auto line = kBarsTop + kBarsHeight - static_cast<double>(stage.memory) * scale;
    svg += svg_bar(middle_of(i) - kBarWidth - 4, stage.predicted_memory, scale, "#a6cbe3");
    svg += svg_bar(middle_of(i) + 4, stage.measured_memory, scale, "#0072b2");
    svg += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#d55e00\" "
                       "stroke-dasharray=\"6 3\"/>\n",
                       middle_of(i) - 66, middle_of(i) + 66, line, line);
    svg += svg_text(middle_of(i), kBarsTop + kBarsHeight + 18, fmt::format("stage {}", i + 1));
  }
  const auto below = kBarsTop + kBarsHeight + 42;
  return svg +
         fmt::format(
             "<text x=\"{}\" y=\"{}\">peak memory: predicted (light), measured (dark), the enclave's (dashed)</text>\n",
             kMargin, below);
}

} // namespace

std::string plan_text(const ModelPlan& plan) {
  auto text = stage_table(plan) + cut_table(plan) + alternatives_table(plan);
  text += fmt::format(
      "\n{}@{}: {} stage{}, bottleneck {}, latency {}, after {} round{} of measuring; ONNX Runtime {} on {}\n",
      plan.name, plan.version, plan.stages.size(), plan.stages.size() == 1 ? "" : "s", milliseconds(plan.bottleneck_us),
      milliseconds(plan.latency_us), plan.rounds, plan.rounds == 1 ? "" : "s", plan.target.runtime,
      plan.target.instruction_set);
  if (!plan.note.empty()) text += "note: " + plan.note + "\n";
  return text;
}

std::string plan_svg(const ModelPlan& plan) {
  const auto width = std::max(560.0, 2 * kMargin + kColumn * static_cast<double>(plan.stages.size()));
  const auto height = kBarsTop + kBarsHeight + 60;
  auto svg =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
                  "font-family=\"sans-serif\" font-size=\"13\">\n"
                  "<defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" refY=\"4\" orient=\"auto\">"
                  "<path d=\"M0,0 L8,4 L0,8 z\" fill=\"#444\"/></marker></defs>\n"
                  "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
                  width, height);
  svg += svg_text(width / 2, 28, fmt::format("{}@{}", plan.name, plan.version), "font-size=\"16\"");
  svg += svg_text(
      width / 2, 48,
      fmt::format("bottleneck {}, latency {}", milliseconds(plan.bottleneck_us), milliseconds(plan.latency_us)));
  for (std::size_t i = 0; i < plan.stages.size(); ++i) svg += svg_box(plan.stages[i], i);
  return svg + svg_edges(plan) + svg_memory(plan) + "</svg>\n";
}

} // namespace tcfdl::cli
