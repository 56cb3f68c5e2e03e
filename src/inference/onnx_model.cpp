#include "inference/onnx_model.hpp"

#include "base/format.hpp"
#include "inference/onnx_proto.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace tcfdl::inference {
namespace {

constexpr std::uint64_t kMostTensorBytes = std::uint64_t{1} << 40U;

std::string called(const onnx::NodeProto& node) {
  return fmt::format("{} node '{}'", node.op_type().substr(0, 80), node.name().substr(0, 200));
}

Error refuse(const std::string& what) { return {Code::kInvalidArgument, what}; }

/// Bits of an element by the number of its type in ONNX 1.20 (`TensorProto.DataType`); 0 for texts.
constexpr std::array<std::uint8_t, 25> kElementBits{0,  32, 8,   8,  16, 16, 32, 64, 0, 8, 16, 64, 32,
                                                    64, 64, 128, 16, 8,  8,  8,  8,  4, 4, 4,  8};

/// What `external_data` of a tensor says.
struct ExternalEntry {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

Result<std::uint64_t> external_number(const onnx::TensorProto& tensor, const std::string& text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return number;
  return refuse(fmt::format("tensor '{}' has '{}' where a number of bytes of external data belongs", tensor.name(),
                            text.substr(0, 40)));
}

Result<ExternalEntry> external_entry(const onnx::TensorProto& tensor) {
  ExternalEntry entry;
  for (const auto& pair : tensor.external_data()) {
    if (pair.key() == "location") entry.location = pair.value();
    if (pair.key() != "offset" && pair.key() != "length") continue;
    TCFDL_ASSIGN(const auto number, external_number(tensor, pair.value()));
    if (pair.key() == "offset") {
      entry.offset = number;
    } else {
      entry.length = number;
    }
  }
  return entry;
}

using Names = std::unordered_set<std::string>;

/// The names that a graph defines, and those that it sees from outside.
struct Scope {
  const Scope* outer = nullptr;
  Names known = {};
  [[nodiscard]] bool sees(const std::string& name) const {
    return known.contains(name) || (outer != nullptr && outer->sees(name));
  }
};

/// One pass over a model and the graphs inside it.
class OnnxCheck {
public:
  explicit OnnxCheck(const ExternalSize& external_size) : external_size_(external_size) {}

  Status check_graph(const onnx::GraphProto& graph, const Scope* outer, int depth) {
    if (depth > kMaxOnnxDepth) return refuse(fmt::format("graphs are nested deeper than {} levels", kMaxOnnxDepth));
    nodes_ += graph.node_size();
    if (nodes_ > kMaxOnnxNodes) return refuse(fmt::format("the model has more than {} nodes", kMaxOnnxNodes));
    for (const auto& info : graph.input()) TCFDL_TRY(check_value(info));
    for (const auto& info : graph.output()) TCFDL_TRY(check_value(info));
    for (const auto& info : graph.value_info()) TCFDL_TRY(check_value(info));
    Scope scope{.outer = outer};
    TCFDL_TRY(collect(graph, scope.known));
    for (const auto& node : graph.node()) TCFDL_TRY(check_node(node, scope, depth));
    for (const auto& output : graph.output()) {
      if (!scope.sees(output.name())) {
        return refuse(fmt::format(
            "the graph's output '{}' is produced by no node; the model is incomplete, export it again", output.name()));
      }
    }
    return check_order(graph);
  }

  std::set<std::string> locations;

private:
  /// Every name that the graph defines, each once.
  Status collect(const onnx::GraphProto& graph, Names& known) {
    Names weights;
    const auto add_weight = [&](const onnx::TensorProto& tensor) -> Status {
      if (!weights.insert(tensor.name()).second) {
        return refuse(fmt::format("the initializer '{}' is there twice", tensor.name()));
      }
      return check_tensor(tensor);
    };
    for (const auto& tensor : graph.initializer()) TCFDL_TRY(add_weight(tensor));
    for (const auto& tensor : graph.sparse_initializer()) TCFDL_TRY(add_weight(tensor.values()));
    for (const auto& input : graph.input()) {
      if (!known.insert(input.name()).second) return refuse(fmt::format("the input '{}' is there twice", input.name()));
    }
    known.insert(weights.begin(), weights.end());
    for (const auto& node : graph.node()) {
      for (const auto& output : node.output()) {
        if (output.empty() || known.insert(output).second) continue;
        return refuse(fmt::format("'{}', an output of the {}, is produced elsewhere too; every tensor has one producer",
                                  output, called(node)));
      }
    }
    return {};
  }

  Status check_node(const onnx::NodeProto& node, const Scope& scope, int depth) {
    for (const auto& input : node.input()) {
      if (input.empty() || scope.sees(input)) continue;
      return refuse(fmt::format("the {} reads '{}', which nothing produces; the model is incomplete, export it again",
                                called(node), input));
    }
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_t()) TCFDL_TRY(check_tensor(attribute.t()));
      for (const auto& tensor : attribute.tensors()) TCFDL_TRY(check_tensor(tensor));
      if (attribute.has_g()) TCFDL_TRY(check_graph(attribute.g(), &scope, depth + 1));
      for (const auto& graph : attribute.graphs()) TCFDL_TRY(check_graph(graph, &scope, depth + 1));
    }
    return {};
  }

  /// Removes nodes whose inputs are there until none is left; what is left is a cycle.
  static Status check_order(const onnx::GraphProto& graph) {
    std::unordered_map<std::string, int> producer;
    for (int i = 0; i < graph.node_size(); ++i) {
      for (const auto& output : graph.node(i).output()) producer.emplace(output, i);
    }
    const auto count = static_cast<std::size_t>(graph.node_size());
    std::vector<std::vector<int>> readers(count);
    std::vector<int> missing(count);
    std::vector<int> ready;
    for (int i = 0; i < graph.node_size(); ++i) {
      visit_uses(graph.node(i), [&](const std::string& name) {
        const auto found = producer.find(name);
        if (name.empty() || found == producer.end()) return;
        readers[static_cast<std::size_t>(found->second)].push_back(i);
        ++missing[static_cast<std::size_t>(i)];
      });
      if (missing[static_cast<std::size_t>(i)] == 0) ready.push_back(i);
    }
    std::size_t done = 0;
    for (; !ready.empty(); ++done) {
      const auto node = static_cast<std::size_t>(ready.back());
      ready.pop_back();
      for (const auto reader : readers[node]) {
        if (--missing[static_cast<std::size_t>(reader)] == 0) ready.push_back(reader);
      }
    }
    if (done == count) return {};
    const auto stuck = std::ranges::find_if(missing, [](int open) { return open > 0; }) - missing.begin();
    return refuse(fmt::format("the {} depends on its own output: the graph has a cycle",
                              called(graph.node(static_cast<int>(stuck)))));
  }

  static Status check_value(const onnx::ValueInfoProto& value) {
    if (!value.type().has_tensor_type()) return {};
    onnx::TensorProto like;
    like.set_name(value.name());
    like.set_data_type(value.type().tensor_type().elem_type());
    for (const auto& dimension : value.type().tensor_type().shape().dim()) {
      like.add_dims(dimension.has_dim_value() ? dimension.dim_value() : 1);
    }
    const auto bytes = onnx_tensor_bytes(like);
    return bytes ? Status() : bytes.error();
  }

  Status check_tensor(const onnx::TensorProto& tensor) {
    TCFDL_ASSIGN(const auto bytes, onnx_tensor_bytes(tensor));
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) return check_external(tensor, bytes);
    if (!tensor.has_raw_data() || bytes == 0 || tensor.raw_data().size() == bytes) return {};
    return refuse(fmt::format("tensor '{}' has {} bytes where its type and shape need {}", tensor.name(),
                              tensor.raw_data().size(), bytes));
  }

  Status check_external(const onnx::TensorProto& tensor, std::uint64_t bytes) {
    TCFDL_ASSIGN(const auto entry, external_entry(tensor));
    if (!location_is_inside(entry.location)) {
      return refuse(fmt::format("the data of tensor '{}' lies in '{}', which is outside the model's directory; move it "
                                "beside the model and save the model again",
                                tensor.name(), entry.location.substr(0, 200)));
    }
    TCFDL_ASSIGN(const auto size, external_size_(entry.location));
    const auto length = entry.length.value_or(bytes);
    if (length != bytes) {
      return refuse(fmt::format("tensor '{}' has {} bytes in {} where its type and shape need {}", tensor.name(),
                                length, entry.location, bytes));
    }
    if (entry.offset > size || length > size - entry.offset) {
      return refuse(
          fmt::format("the data of tensor '{}' ends at byte {} of {}, which has {}; the file is cut off or not "
                      "the model's",
                      tensor.name(), entry.offset + length, entry.location, size));
    }
    locations.insert(entry.location);
    return {};
  }

  const ExternalSize& external_size_;
  int nodes_ = 0;
};

void visit_captured(const onnx::GraphProto& graph, const std::function<void(const std::string&)>& use) {
  Names own;
  for (const auto& input : graph.input()) own.insert(input.name());
  for (const auto& tensor : graph.initializer()) own.insert(tensor.name());
  for (const auto& node : graph.node()) own.insert(node.output().begin(), node.output().end());
  const auto outside = [&](const std::string& name) {
    if (!own.contains(name)) use(name);
  };
  for (const auto& node : graph.node()) visit_uses(node, outside);
  for (const auto& output : graph.output()) outside(output.name());
}

} // namespace

Result<onnx::ModelProto> parse_onnx(BytesView file) {
  if (file.size() > kMaxOnnxFile) {
    return refuse("the file has 2 GiB or more, which no ONNX file can have; save the model with external data");
  }
  google::protobuf::io::ArrayInputStream stream(file.data(), static_cast<int>(file.size()));
  google::protobuf::io::CodedInputStream input(&stream);
  onnx::ModelProto model;
  if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) {
    return refuse(fmt::format("the file of {} bytes is no ONNX model, or a part of one; fetch it again", file.size()));
  }
  if (!model.has_graph() || model.graph().output_size() == 0 || model.opset_import_size() == 0) {
    return refuse("the model has no graph with outputs, or no set of operators; is this a whole ONNX file?");
  }
  return model;
}

Result<std::set<std::string>> check_onnx(const onnx::ModelProto& model, const ExternalSize& external_size) {
  OnnxCheck check(external_size);
  TCFDL_TRY(check.check_graph(model.graph(), nullptr, 1));
  return std::move(check.locations);
}

bool location_is_inside(const std::string& location) {
  const std::filesystem::path path(location);
  if (location.empty() || location.find('\0') != std::string::npos || path.is_absolute()) return false;
  return std::ranges::none_of(path, [](const auto& part) { return part == ".."; }) && path.has_filename();
}

Result<std::uint64_t> onnx_tensor_bytes(const onnx::TensorProto& tensor) {
  for (const auto dimension : tensor.dims()) {
    if (dimension < 0) return refuse(fmt::format("tensor '{}' has the dimension {}", tensor.name(), dimension));
    if (dimension == 0) return 0;
  }
  const auto type = static_cast<std::size_t>(tensor.data_type());
  const std::uint64_t bits = type < kElementBits.size() ? kElementBits.at(type) : 0;
  std::uint64_t elements = 1;
  for (const auto dimension : tensor.dims()) {
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(dimension), &elements) ||
        elements > kMostTensorBytes) {
      return refuse(fmt::format("tensor '{}' has more than {} elements", tensor.name(), kMostTensorBytes));
    }
  }
  return (elements * bits + 7) / 8;
}

void drop_repeated_initializers(onnx::GraphProto& graph) {
  Names seen;
  auto& weights = *graph.mutable_initializer();
  for (int i = weights.size() - 1; i >= 0; --i) {
    if (!seen.insert(weights.Get(i).name()).second) weights.DeleteSubrange(i, 1);
  }
  for (auto& node : *graph.mutable_node()) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) drop_repeated_initializers(*attribute.mutable_g());
      for (auto& inner : *attribute.mutable_graphs()) drop_repeated_initializers(inner);
    }
  }
}

void visit_uses(const onnx::NodeProto& node, const std::function<void(const std::string&)>& use) {
  for (const auto& input : node.input()) {
    if (!input.empty()) use(input);
  }
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) visit_captured(attribute.g(), use);
    for (const auto& graph : attribute.graphs()) visit_captured(graph, use);
  }
}

} // namespace tcfdl::inference
