// The Open Inference Protocol, version 2, as texts: requests become tensors, tensors answers. docs/models.md.
#pragma once

#include "inference/stage_description.hpp"

#include <optional>

namespace tcfdl::gateway {

/// Where JSON ends and binary data begins, in requests and answers.
constexpr const char* kJsonLengthField = "Inference-Header-Content-Length";

/// The largest JSON of a request, bytes, and the most elements that go as JSON in an answer. More goes as binary data.
constexpr std::size_t kLargestJson = std::size_t{64} << 20U;
constexpr std::uint64_t kMostJsonElements = std::uint64_t{8} << 20U;

/// A request that fits its model.
struct InferRequest {
  struct Output {
    std::string name;
    bool binary = false;
  };

  std::optional<std::string> id = {};
  std::vector<Bytes> owned = {};                  ///< elements that came as JSON
  std::vector<inference::TensorView> inputs = {}; ///< point into `owned` and into the request's body
  std::vector<Output> outputs = {};               ///< at least those that are asked for, in the order of the answer
};

/// `json_length` is the value of `kJsonLengthField`; empty where all of the body is JSON. The body outlives the result.
/// INVALID_ARGUMENT names the tensor and what the model wants.
Result<InferRequest> read_infer_request(const inference::ModelDescription& model, BytesView body,
                                        std::string_view json_length);

struct InferAnswer {
  Bytes body = {};
  std::optional<std::size_t> json_length = {}; ///< where binary data follows
};

/// `name` is the function's. FAILED_PRECONDITION where an output cannot go as JSON; INTERNAL where the model did not
/// make it.
Result<InferAnswer> write_infer_answer(const std::string& name, const inference::ModelDescription& model,
                                       const InferRequest& request, std::span<const inference::TensorView> tensors);

nlohmann::json server_metadata();
nlohmann::json model_metadata(const std::string& name, const inference::ModelDescription& model);

} // namespace tcfdl::gateway
