#include "inference/partitioning/graph.hpp"

#include <algorithm>

namespace tcfdl::inference {

Lifetimes lifetimes_of(const Graph& graph) {
  const auto count = graph.operators.size();
  Lifetimes lifetimes{std::vector<std::size_t>(graph.tensors.size()), std::vector<std::size_t>(graph.tensors.size()),
                      std::vector<std::vector<std::size_t>>(count)};
  for (std::size_t k = 0; k < count; ++k) {
    for (const auto tensor : graph.operators[k].outputs) lifetimes.born[tensor] = lifetimes.last[tensor] = k + 1;
    for (const auto tensor : graph.operators[k].inputs) lifetimes.last[tensor] = k + 1;
  }
  for (std::size_t tensor = 0; tensor < graph.tensors.size(); ++tensor) {
    if (graph.tensors[tensor].graph_output) lifetimes.last[tensor] = count + 1;
    const auto last = lifetimes.last[tensor];
    if (last > 0 && last <= count) lifetimes.dying[last - 1].push_back(tensor);
  }
  return lifetimes;
}

std::vector<std::size_t> stage_inputs(const Graph& graph, const Lifetimes& lifetimes, std::size_t begin,
                                      std::size_t end) {
  std::vector<std::size_t> inputs;
  for (std::size_t k = begin; k < end; ++k) {
    for (const auto tensor : graph.operators[k].inputs) {
      if (lifetimes.born[tensor] <= begin && std::ranges::find(inputs, tensor) == inputs.end())
        inputs.push_back(tensor);
    }
  }
  return inputs;
}

std::vector<std::size_t> stage_outputs(const Graph& graph, const Lifetimes& lifetimes, std::size_t begin,
                                       std::size_t end) {
  std::vector<std::size_t> outputs;
  for (std::size_t k = begin; k < end; ++k) {
    for (const auto tensor : graph.operators[k].outputs) {
      if (lifetimes.last[tensor] > end) outputs.push_back(tensor);
    }
  }
  return outputs;
}

} // namespace tcfdl::inference
