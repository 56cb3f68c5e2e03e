// Between ONNX graphs and the planner's.
#pragma once

#include "inference/onnx_model.hpp"
#include "inference/partitioning/graph.hpp"
#include "inference/profile.hpp"

namespace tcfdl::inference {

/// Gives every node a name that no other node has, inner ones too: the profiler tells nodes by it.
void name_nodes(onnx::ModelProto& model);

/// The graph of an optimised model, in the order of its profile; `inputs` are the tensors that it was profiled with.
/// `model` has the nodes' own names, the profile those of `name_nodes`. FAILED_PRECONDITION where they do not match, or
/// where an output of the model is computed by no operator.
Result<Graph> read_graph(const onnx::ModelProto& model, const std::map<std::string, NodeProfile>& profile,
                         std::span<const TensorView> inputs);

/// The model of operators [begin, end): reads what they need, writes what is needed elsewhere. Weights stay where the
/// optimised model's are.
onnx::ModelProto extract_stage(const onnx::ModelProto& model, const Graph& graph, const Lifetimes& lifetimes,
                               std::size_t begin, std::size_t end);

} // namespace tcfdl::inference
