// A model as the planner sees it: operators in the order in which they run, with times and bytes that were measured.
#pragma once

#include "inference/tensor.hpp"

namespace tcfdl::inference {

struct GraphTensor {
  std::string name;
  ElementType type = ElementType::kUndefined;
  std::vector<std::int64_t> shape = {};
  std::uint64_t bytes = 0;
  bool movable =
      true; ///< false for sequences, texts and what was not seen while it ran: no cut separates it from its uses
  bool graph_output = false;
};

struct GraphWeight {
  std::string name;
  std::uint64_t bytes = 0;
};

struct GraphOperator {
  std::string name;
  std::string type;
  std::size_t node = 0;                  ///< its place in the model's file
  double time_us = 0;                    ///< on this machine, one thread
  std::vector<std::size_t> inputs = {};  ///< tensors, each once
  std::vector<std::size_t> outputs = {}; ///< tensors
  std::vector<std::size_t> weights = {}; ///< each once
  std::uint64_t inner_bytes = 0;         ///< weights that lie inside it
  bool has_graph = false;                ///< If, Loop or Scan, whose inner graphs are never cut
};

/// Tensors, operators and weights refer to each other by their places in these lists.
struct Graph {
  std::vector<GraphOperator> operators;
  std::vector<GraphTensor> tensors;
  std::vector<GraphWeight> weights;
};

/// Where tensors begin and end, in positions between operators: position k lies before operator k.
struct Lifetimes {
  std::vector<std::size_t> born; ///< by tensor: the position after its producer; 0 for inputs of the model
  std::vector<std::size_t> last; ///< by tensor: its last reader + 1; the operators' number + 1 for outputs of the model
  std::vector<std::vector<std::size_t>> dying; ///< by operator: the tensors that it reads, or makes, as the last
};

Lifetimes lifetimes_of(const Graph& graph);

/// The tensors that operators [begin, end) need from elsewhere, and those that they make for elsewhere.
std::vector<std::size_t> stage_inputs(const Graph& graph, const Lifetimes& lifetimes, std::size_t begin,
                                      std::size_t end);
std::vector<std::size_t> stage_outputs(const Graph& graph, const Lifetimes& lifetimes, std::size_t begin,
                                       std::size_t end);

} // namespace tcfdl::inference
