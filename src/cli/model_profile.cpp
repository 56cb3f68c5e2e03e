#include "cli/model_inputs.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace tcfdl::cli {
namespace {

using inference::Graph;
using inference::GraphOperator;

std::uint64_t weights_of(const Graph& graph, const GraphOperator& step) {
  std::uint64_t bytes = step.inner_bytes;
  for (const auto weight : step.weights) bytes += graph.weights[weight].bytes;
  return bytes;
}

std::uint64_t bytes_of(const Graph& graph, const std::vector<std::size_t>& tensors) {
  std::uint64_t bytes = 0;
  for (const auto tensor : tensors) bytes += graph.tensors[tensor].bytes;
  return bytes;
}

/// Bytes of the tensors that are alive behind each operator: what a cut there would move.
std::vector<std::uint64_t> frontiers_of(const Graph& graph) {
  const auto lifetimes = inference::lifetimes_of(graph);
  std::vector<std::uint64_t> change(graph.operators.size() + 2); // wraps around, and back
  for (std::size_t tensor = 0; tensor < graph.tensors.size(); ++tensor) {
    if (lifetimes.last[tensor] <= lifetimes.born[tensor]) continue;
    change[lifetimes.born[tensor]] += graph.tensors[tensor].bytes;
    change[lifetimes.last[tensor]] -= graph.tensors[tensor].bytes;
  }
  std::vector<std::uint64_t> bytes(graph.operators.size());
  auto alive = change[0];
  for (std::size_t k = 0; k < bytes.size(); ++k) bytes[k] = alive += change[k + 1];
  return bytes;
}

struct Totals {
  double time_us = 0;
  std::uint64_t weights = 0;
};

Totals totals_of(const Graph& graph) {
  Totals totals;
  for (const auto& weight : graph.weights) totals.weights += weight.bytes;
  for (const auto& step : graph.operators) {
    totals.time_us += step.time_us;
    totals.weights += step.inner_bytes;
  }
  return totals;
}

std::string output_shapes(const Graph& graph, const GraphOperator& step) {
  std::string text;
  for (const auto tensor : step.outputs) {
    text += (text.empty() ? "" : " ") + inference::shape_text(graph.tensors[tensor].shape);
  }
  return text;
}

void print_profile(const Graph& graph) {
  const auto frontiers = frontiers_of(graph);
  const auto totals = totals_of(graph);
  std::vector<std::vector<std::string>> rows{
      {"ORDER", "OPERATOR", "TIME", "SHARE", "WEIGHTS", "OUT", "CUT", "SHAPE", "NAME"}};
  for (std::size_t k = 0; k < graph.operators.size(); ++k) {
    const auto& step = graph.operators[k];
    rows.push_back({std::to_string(k + 1), step.type, fmt::format("{:.3f} ms", step.time_us / 1000),
                    fmt::format("{:.1f} %", 100 * step.time_us / std::max(1.0, totals.time_us)),
                    bytes_text(weights_of(graph, step)), bytes_text(bytes_of(graph, step.outputs)),
                    bytes_text(frontiers[k]), output_shapes(graph, step), step.name.substr(0, 60)});
  }
  print(table(rows));
  print(fmt::format("{} operators, {:.2f} ms, {} of weights\n", graph.operators.size(), totals.time_us / 1000,
                    bytes_text(totals.weights)));
}

Json profile_json(const Graph& graph) {
  const auto frontiers = frontiers_of(graph);
  const auto totals = totals_of(graph);
  auto operators = Json::array();
  for (std::size_t k = 0; k < graph.operators.size(); ++k) {
    const auto& step = graph.operators[k];
    auto outputs = Json::array();
    for (const auto index : step.outputs) {
      const auto& tensor = graph.tensors[index];
      outputs.push_back({{"name", tensor.name},
                         {"type", inference::element_name(tensor.type)},
                         {"shape", tensor.shape},
                         {"bytes", tensor.bytes},
                         {"movable", tensor.movable}});
    }
    operators.push_back({{"name", step.name},
                         {"type", step.type},
                         {"time_us", step.time_us},
                         {"weights", weights_of(graph, step)},
                         {"outputs", outputs},
                         {"cut_bytes", frontiers[k]}});
  }
  return {{"operators", operators}, {"time_us", totals.time_us}, {"weights", totals.weights}};
}

Status profile_model(const Session& session, const MeasureOptions& options) {
  TCFDL_ASSIGN(auto store, open_store(options.model));
  TCFDL_ASSIGN(const auto record, find_model(store, options.model));
  TCFDL_ASSIGN(const auto measured, measure_model(store, record, options));
  const auto& target = measured.profiled.optimised().target;
  if (session.json) {
    auto document = profile_json(measured.profiled.graph());
    document["runtime"] = target.runtime;
    document["instruction_set"] = target.instruction_set;
    print_json(document);
  } else {
    print_profile(measured.profiled.graph());
    print(fmt::format("ONNX Runtime {} on {}, {} thread{}\n", target.runtime, target.instruction_set, options.threads,
                      options.threads == 1 ? "" : "s"));
  }
  return {};
}

} // namespace

void add_model_profile_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("profile", "times, weights and tensors of each operator, in the order they run");
  auto options = std::make_shared<MeasureOptions>();
  add_model_options(*command, {options, &options->model});
  add_measure_options(*command, options);
  command->callback(session.run([&session, options] { return profile_model(session, *options); }));
}

} // namespace tcfdl::cli
