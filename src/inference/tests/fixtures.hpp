// Small models and stores for the tests of this module.
#pragma once

#include "base/file.hpp"
#include "inference/model_store.hpp"
#include "inference/onnx_model.hpp"
#include "inference/onnx_proto.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

namespace tcfdl::inference::tests {

inline const std::filesystem::path kModels{TCFDL_MODELS_DIR};

inline RuntimeProcess runtime() { return RuntimeProcess(TCFDL_INFERENCE_PROGRAM); }

/// Without it, freed memory that the sanitizer holds back counts as memory of a stage.
inline void keep_no_freed_memory() { ::setenv("ASAN_OPTIONS", "quarantine_size_mb=1", 1); }

inline void declare_float(onnx::ValueInfoProto& value, const std::string& name,
                          std::initializer_list<std::int64_t> shape) {
  value.set_name(name);
  auto* type = value.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const auto dimension : shape) type->mutable_shape()->add_dim()->set_dim_value(dimension);
}

inline onnx::NodeProto& add_node(onnx::GraphProto& graph, const std::string& type,
                                 std::initializer_list<std::string> inputs, const std::string& output) {
  auto& node = *graph.add_node();
  node.set_op_type(type);
  node.set_name(type + "_" + output);
  for (const auto& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

inline onnx::TensorProto& add_weight(onnx::GraphProto& graph, const std::string& name, std::int64_t elements) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(elements);
  tensor.mutable_raw_data()->assign(static_cast<std::size_t>(elements) * 4, '\x3d');
  return tensor;
}

/// y = Relu(x + w), with tensors of [4].
inline onnx::ModelProto small_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  auto& graph = *model.mutable_graph();
  graph.set_name("small");
  declare_float(*graph.add_input(), "x", {4});
  declare_float(*graph.add_output(), "y", {4});
  add_weight(graph, "w", 4);
  add_node(graph, "Add", {"x", "w"}, "sum");
  add_node(graph, "Relu", {"sum"}, "y");
  return model;
}

inline std::filesystem::path save(const TemporaryDirectory& directory, const std::string& name,
                                  const onnx::ModelProto& model) {
  const auto file = directory.path() / name;
  EXPECT_TRUE(write_file(file, as_bytes(model.SerializeAsString())));
  return file;
}

inline ModelStore open_store(const TemporaryDirectory& directory, const crypto::SigningKey& key) {
  auto copy = crypto::SigningKey::from_private_bytes(key.private_bytes().span());
  auto store = ModelStore::open(directory.path() / "store", *std::move(copy), runtime());
  EXPECT_TRUE(store);
  return *std::move(store);
}

} // namespace tcfdl::inference::tests
