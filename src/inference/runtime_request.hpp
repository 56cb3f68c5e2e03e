// What `tcfdl` asks of `tcfdl-inference`, the process that runs ONNX Runtime: JSON on standard input, an answer on
// standard output. A process does one piece of work, so that a hostile model ends that process alone, and what it
// measures of its memory is of that work.
#pragma once

#include "inference/tensor.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::http {
class JsonObject;
}

namespace tcfdl::inference {

enum class WorkKind : std::uint8_t {
  kDescribe, ///< says which ONNX Runtime on which machine it is
  kOptimise, ///< loads an ONNX model and saves it optimised as ONNX, its weights beside it
  kPack,     ///< loads an ONNX model as it is and saves it in ONNX Runtime's own format
  kProfile,  ///< runs an ONNX model as it is and writes the time of each node
  kRun,      ///< runs a packed model as a stage does
  kRunOnnx,  ///< runs an ONNX model without any optimisation
};

struct RuntimeRequest {
  WorkKind kind = WorkKind::kRun;
  std::filesystem::path model = {};
  std::filesystem::path inputs = {};  ///< a file of tensors
  std::filesystem::path outputs = {}; ///< written as one; empty: not wanted
  std::filesystem::path save = {};    ///< the model that is made, or the prefix of the profile's name
  unsigned runs = 1;                  ///< at least 1; the first one warms up where there are more
  unsigned threads = 1;
  bool prepacking = false;
  std::uint64_t arena_limit = 0; ///< bytes; 0: half of the machine's memory
};

struct RuntimeAnswer {
  std::string runtime;                     ///< ONNX Runtime's version
  std::string instruction_set;             ///< as of `instruction_set()`
  std::filesystem::path runtime_file = {}; ///< from which ONNX Runtime was loaded
  std::vector<TensorInfo> inputs = {};
  std::vector<TensorInfo> outputs = {};
  std::filesystem::path profile = {};
  std::uint64_t peak_memory = 0; ///< bytes, resident, of the whole process
  std::uint64_t memory = 0;      ///< bytes, resident, after the runs
  std::uint64_t arena_size = 0;  ///< bytes
  std::uint64_t load_us = 0;
  std::uint64_t run_us = 0; ///< median
};

std::string write_request(const RuntimeRequest& request);
Result<RuntimeRequest> parse_request(BytesView text);

std::string write_answer(const Result<RuntimeAnswer>& answer);
/// The answer, or the error that it carries.
Result<RuntimeAnswer> parse_answer(BytesView text);

nlohmann::json to_json(const std::vector<TensorInfo>& infos);
/// A list that `to_json` wrote, of an object that remembers what is wrong with it.
std::vector<TensorInfo> read_tensor_infos(http::JsonObject& object, const std::string& key);

} // namespace tcfdl::inference
