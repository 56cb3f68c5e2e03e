#include "inference/model_graph.hpp"

#include "base/format.hpp"
#include "inference/onnx_proto.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace tcfdl::inference {
namespace {

std::string profiled_name(int node) { return fmt::format("n{}", node); }

/// Names the nodes of graphs inside a node, counting on.
void name_inner(onnx::NodeProto& node, std::size_t& count) {
  const auto name_graph = [&](onnx::GraphProto& graph) {
    for (auto& inner : *graph.mutable_node()) {
      inner.set_name(fmt::format("inner{}", count++));
      name_inner(inner, count);
    }
  };
  for (auto& attribute : *node.mutable_attribute()) {
    if (attribute.has_g()) name_graph(*attribute.mutable_g());
    for (auto& graph : *attribute.mutable_graphs()) name_graph(graph);
  }
}

/// Bytes of weights inside a node: tensors as attributes and in inner graphs.
std::uint64_t inner_bytes(const onnx::NodeProto& node);

std::uint64_t bytes_of(const onnx::TensorProto& tensor) { return onnx_tensor_bytes(tensor).value_or(0); }

std::uint64_t inner_bytes(const onnx::GraphProto& graph) {
  std::uint64_t bytes = 0;
  for (const auto& tensor : graph.initializer()) bytes += bytes_of(tensor);
  for (const auto& node : graph.node()) bytes += inner_bytes(node);
  return bytes;
}

std::uint64_t inner_bytes(const onnx::NodeProto& node) {
  std::uint64_t bytes = 0;
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_t()) bytes += bytes_of(attribute.t());
    for (const auto& tensor : attribute.tensors()) bytes += bytes_of(tensor);
    if (attribute.has_g()) bytes += inner_bytes(attribute.g());
    for (const auto& graph : attribute.graphs()) bytes += inner_bytes(graph);
  }
  return bytes;
}

bool has_graph(const onnx::NodeProto& node) {
  return std::ranges::any_of(node.attribute(), [](const auto& each) { return each.has_g() || each.graphs_size() > 0; });
}

/// Builds the planner's graph, a node at a time.
class GraphReader {
public:
  GraphReader(const onnx::ModelProto& model, std::span<const TensorView> inputs) : model_(model) {
    for (const auto& weight : model.graph().initializer()) {
      weights_.emplace(weight.name(), graph_.weights.size());
      graph_.weights.push_back({weight.name(), bytes_of(weight)});
    }
    for (const auto& input : inputs) {
      add_tensor({.name = input.name, .type = input.type, .shape = input.shape, .bytes = input.data.size()});
    }
  }

  void add(std::size_t index, const NodeProfile& profile) {
    const auto& node = model_.graph().node(static_cast<int>(index));
    GraphOperator step{.name = node.name(), .type = node.op_type(), .node = index, .time_us = profile.time_us};
    if (step.name.empty()) step.name = fmt::format("#{}", index);
    step.inner_bytes = inner_bytes(node);
    step.has_graph = has_graph(node);
    visit_uses(node, [&](const std::string& name) { add_use(step, name); });
    std::size_t made = 0;
    const auto named = std::ranges::count_if(node.output(), [](const auto& name) { return !name.empty(); });
    const bool seen = std::cmp_equal(named, profile.outputs.size());
    for (const auto& name : node.output()) {
      if (name.empty()) continue;
      step.outputs.push_back(add_tensor(seen ? tensor_of(name, profile.outputs[made++]) : unseen(name)));
    }
    graph_.operators.push_back(std::move(step));
  }

  Result<Graph> finish() {
    for (const auto& output : model_.graph().output()) {
      const auto found = tensors_.find(output.name());
      if (found == tensors_.end()) {
        return make_error(Code::kFailedPrecondition,
                          "no operator computes the output '{}': it is a constant, which has no "
                          "place in a pipeline; remove it from the model",
                          output.name());
      }
      graph_.tensors[found->second].graph_output = true;
    }
    return std::move(graph_);
  }

private:
  static GraphTensor unseen(const std::string& name) { return {.name = name, .movable = false}; }

  static GraphTensor tensor_of(const std::string& name, const TensorInfo& info) {
    const auto bytes = tensor_bytes(info.type, info.shape);
    if (!bytes) return unseen(name);
    return {.name = name, .type = info.type, .shape = info.shape, .bytes = *bytes};
  }

  std::size_t add_tensor(GraphTensor tensor) {
    tensors_.emplace(tensor.name, graph_.tensors.size());
    graph_.tensors.push_back(std::move(tensor));
    return graph_.tensors.size() - 1;
  }

  void add_use(GraphOperator& step, const std::string& name) {
    const auto add_once = [](std::vector<std::size_t>& list, std::size_t index) {
      if (std::ranges::find(list, index) == list.end()) list.push_back(index);
    };
    if (const auto tensor = tensors_.find(name); tensor != tensors_.end()) {
      add_once(step.inputs, tensor->second);
    } else if (const auto weight = weights_.find(name); weight != weights_.end()) {
      add_once(step.weights, weight->second);
    }
  }

  const onnx::ModelProto& model_;
  Graph graph_;
  std::unordered_map<std::string, std::size_t> tensors_;
  std::unordered_map<std::string, std::size_t> weights_;
};

/// Declares a tensor between stages by its type alone: its shape may differ from run to run.
void declare(onnx::ValueInfoProto& value, const GraphTensor& tensor) {
  value.set_name(tensor.name);
  value.mutable_type()->mutable_tensor_type()->set_elem_type(static_cast<int>(tensor.type));
}

/// The model's own declaration where there is one.
void declare(onnx::ValueInfoProto& value, const GraphTensor& tensor,
             const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& known) {
  const auto found = std::ranges::find(known, tensor.name, &onnx::ValueInfoProto::name);
  if (found == known.end()) {
    declare(value, tensor);
  } else {
    value = *found;
  }
}

} // namespace

void name_nodes(onnx::ModelProto& model) {
  auto& graph = *model.mutable_graph();
  std::size_t inner = 0;
  for (int i = 0; i < graph.node_size(); ++i) {
    graph.mutable_node(i)->set_name(profiled_name(i));
    name_inner(*graph.mutable_node(i), inner);
  }
}

Result<Graph> read_graph(const onnx::ModelProto& model, const std::map<std::string, NodeProfile>& profile,
                         std::span<const TensorView> inputs) {
  std::vector<std::pair<std::size_t, int>> order;
  for (int i = 0; i < model.graph().node_size(); ++i) {
    const auto found = profile.find(profiled_name(i));
    if (found == profile.end()) {
      return make_error(Code::kFailedPrecondition, "the node '{}' ({}) did not run in the profile",
                        model.graph().node(i).name(), model.graph().node(i).op_type());
    }
    order.emplace_back(found->second.order, i);
  }
  std::ranges::sort(order);
  GraphReader reader(model, inputs);
  for (const auto& [place, index] : order)
    reader.add(static_cast<std::size_t>(index), profile.at(profiled_name(index)));
  return reader.finish();
}

onnx::ModelProto extract_stage(const onnx::ModelProto& model, const Graph& graph, const Lifetimes& lifetimes,
                               std::size_t begin, std::size_t end) {
  onnx::ModelProto stage;
  stage.set_ir_version(model.ir_version());
  *stage.mutable_opset_import() = model.opset_import();
  *stage.mutable_functions() = model.functions();
  auto& part = *stage.mutable_graph();
  part.set_name("stage");
  std::unordered_set<std::string> used;
  for (std::size_t k = begin; k < end; ++k) {
    const auto& step = graph.operators[k];
    *part.add_node() = model.graph().node(static_cast<int>(step.node));
    for (const auto weight : step.weights) used.insert(graph.weights[weight].name);
    for (const auto tensor : step.outputs) used.insert(graph.tensors[tensor].name);
  }
  for (const auto& weight : model.graph().initializer()) {
    if (used.contains(weight.name())) *part.add_initializer() = weight;
  }
  for (const auto tensor : stage_inputs(graph, lifetimes, begin, end)) {
    declare(*part.add_input(), graph.tensors[tensor], model.graph().input());
  }
  for (const auto tensor : stage_outputs(graph, lifetimes, begin, end)) {
    used.erase(graph.tensors[tensor].name);
    declare(*part.add_output(), graph.tensors[tensor], model.graph().output());
  }
  for (const auto& value : model.graph().value_info()) {
    if (used.contains(value.name())) *part.add_value_info() = value;
  }
  return stage;
}

} // namespace tcfdl::inference
