// What is told of deployed models: to a stage by its bundle, to callers by the first stage.
#pragma once

#include "inference/target.hpp"
#include "inference/tensor.hpp"

#include <map>
#include <nlohmann/json.hpp>

namespace tcfdl::inference {

/// The content type of messages with tensors, and of the description that the first stage gives of its model.
constexpr const char* kTensorsType = "application/vnd.tcfdl.tensors";
constexpr const char* kModelType = "application/vnd.tcfdl.model+json";

/// A deployed model, for its callers.
struct ModelDescription {
  std::string name;
  std::uint64_t version = 0;
  std::size_t stages = 1;
  std::vector<TensorInfo> inputs = {};
  std::vector<TensorInfo> outputs = {}; ///< in the order of a result
};

nlohmann::json to_json(const ModelDescription& description);
/// INVALID_ARGUMENT names what is wrong.
Result<ModelDescription> parse_model_description(BytesView text);

/// The file of a stage's bundle. docs/formats/stage.md.
constexpr const char* kStageFile = "stage.json";

struct StageDescription {
  ModelDescription model;
  std::size_t stage = 1; ///< which of them, from 1
  Target target = {};
  std::string file; ///< in the bundle, in ONNX Runtime's own format
  unsigned threads = 1;
  bool prepacking = false;
  std::uint64_t arena_limit = 0;             ///< as `StageSettings`
  std::vector<TensorInfo> warm_up = {};      ///< the stage's inputs at their largest
  std::map<std::string, double> values = {}; ///< of all elements of some of them
  std::string next = {};                     ///< the function of the next stage; empty for the last
  std::vector<std::string> forwarded = {};   ///< names of the tensors that it gets
};

nlohmann::json to_json(const StageDescription& description);
Result<StageDescription> parse_stage_description(BytesView text);

} // namespace tcfdl::inference
