// What the store knows of a model. docs/formats/model_store.md.
#pragma once

#include "inference/object_store.hpp"
#include "inference/target.hpp"
#include "inference/tensor.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::inference {

/// A model as it was imported. The first file is the ONNX model, others its external data.
struct ModelRecord {
  std::string name;
  std::uint64_t version = 0;
  std::vector<StoredFile> files = {};
  std::vector<TensorInfo> inputs = {};
  std::vector<TensorInfo> outputs = {};

  /// SHA-256 over the files, in hexadecimal: the same for the same model, whatever its name.
  [[nodiscard]] std::string id() const;
  [[nodiscard]] std::uint64_t size() const; ///< bytes of all files
};

/// A model after ONNX Runtime's optimisations. The first file is the graph, others its weights.
struct OptimisedModel {
  std::string model; ///< the model's id
  Target target = {};
  std::vector<StoredFile> files = {};
};

nlohmann::json to_json(const std::vector<StoredFile>& files);
nlohmann::json to_json(const ModelRecord& record);
nlohmann::json to_json(const OptimisedModel& optimised);
Result<ModelRecord> parse_model_record(BytesView text);
Result<OptimisedModel> parse_optimised_model(BytesView text);

/// `NAME` or `NAME@VERSION`; version 0 stands for the newest. INVALID_ARGUMENT.
struct ModelReference {
  std::string name;
  std::uint64_t version = 0;
};
Result<ModelReference> parse_model_reference(const std::string& text);

} // namespace tcfdl::inference
