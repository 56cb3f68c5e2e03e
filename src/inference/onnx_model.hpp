// ONNX files from strangers: parsed, then checked for everything that does not need ONNX Runtime to be seen.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <set>
#include <string>
#include <tcfdl/bytes.hpp>

namespace onnx { // NOLINT(readability-identifier-naming): the name of the library
class ModelProto;
class GraphProto;
class NodeProto;
class TensorProto;
} // namespace onnx

namespace tcfdl::inference {

constexpr std::size_t kMaxOnnxFile = (std::size_t{2} << 30U) - 1; ///< bytes; protobuf's own limit
constexpr int kMaxOnnxNodes = 1'000'000;
constexpr int kMaxOnnxDepth = 16; ///< graphs inside graphs

/// Parses an ONNX model. INVALID_ARGUMENT for what is none or is cut off.
Result<onnx::ModelProto> parse_onnx(BytesView file);

/// The size in bytes of a file beside the model, by its path there. An error refuses the model.
using ExternalSize = std::function<Result<std::uint64_t>(const std::string& location)>;

/// Checks a model: every name is produced once and before all its uses can be ordered, tensors have the bytes of their
/// shapes, external data lies within the files. The files of external data are returned. INVALID_ARGUMENT says which
/// node or tensor is wrong and what to do.
Result<std::set<std::string>> check_onnx(const onnx::ModelProto& model, const ExternalSize& external_size);

/// Whether a location of external data stays within the model's directory: relative, without `..`.
bool location_is_inside(const std::string& location);

/// The bytes of the elements that a tensor's type and shape say. INVALID_ARGUMENT for negative dimensions and more than
/// 1 TiB; 0 for texts.
Result<std::uint64_t> onnx_tensor_bytes(const onnx::TensorProto& tensor);

/// Leaves the last of the initializers of one name in each graph: ONNX Runtime 1.29 writes them twice when it saves a
/// model with its weights apart, and then refuses to load it.
void drop_repeated_initializers(onnx::GraphProto& graph);

/// Calls `use` with every name that a node reads: its inputs and what its inner graphs take from outside.
void visit_uses(const onnx::NodeProto& node, const std::function<void(const std::string&)>& use);

} // namespace tcfdl::inference
