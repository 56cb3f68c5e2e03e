// Requests of the Open Inference Protocol: two bytes with the length of the JSON (65535: all of it), then the body.
// They never crash; what is taken fits the model, and its answer is read again as the same tensors.
#include "gateway/open_inference.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <cstdlib>

namespace {

using namespace tcfdl;
using inference::ElementType;

constexpr std::size_t kNoLength = 0xFFFF;

void require(bool holds) {
  if (!holds) std::abort();
}

/// A model that gives its inputs back.
inference::ModelDescription echo() {
  const std::vector<inference::TensorInfo> tensors{{.name = "f", .type = ElementType::kFloat, .shape = {-1, 2}},
                                                   {.name = "i", .type = ElementType::kInt8, .shape = {-1}},
                                                   {.name = "b", .type = ElementType::kBool, .shape = {1, -1, -1}},
                                                   {.name = "h", .type = ElementType::kFloat16, .shape = {2}}};
  return {.name = "echo", .version = 1, .stages = 1, .inputs = tensors, .outputs = tensors};
}

/// The answer as the request that it is but for the name of its list.
Bytes as_request(const gateway::InferAnswer& answer, std::string& length) {
  const BytesView body = answer.body;
  const auto json_size = answer.json_length.value_or(body.size());
  const auto document = http::parse_json(body.first(json_size), {.size = json_size});
  require(document.has_value());
  auto request =
      to_bytes(http::dump_json({{"inputs", document->at("outputs")}, {"parameters", {{"binary_data_output", true}}}}));
  if (answer.json_length) length = std::to_string(request.size());
  request.insert(request.end(), body.begin() + static_cast<std::ptrdiff_t>(json_size), body.end());
  return request;
}

void check(const inference::ModelDescription& model, const gateway::InferRequest& request) {
  const auto message = inference::write_tensors(request.inputs);
  const auto tensors = inference::parse_tensors(message);
  require(tensors.has_value() && inference::select_inputs(model.inputs, *tensors).has_value());
  require(request.inputs.size() == model.inputs.size());
  gateway::InferRequest all;
  for (const auto& tensor : request.inputs) {
    const bool binary = tensor.type == ElementType::kFloat16 || request.outputs.front().binary;
    all.outputs.push_back({.name = tensor.name, .binary = binary});
  }
  const auto answer = gateway::write_infer_answer("echo", model, all, *tensors);
  if (!answer) return; // numbers that JSON does not have
  std::string length;
  const auto again_body = as_request(*answer, length);
  const auto again = gateway::read_infer_request(model, again_body, length);
  require(again.has_value() && inference::write_tensors(again->inputs) == message);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kModel = echo();
  if (size < 2) return 0;
  const auto length = static_cast<std::size_t>(data[0] | (data[1] << 8U));
  const BytesView body(data + 2, size - 2);
  const auto request =
      gateway::read_infer_request(kModel, body, length == kNoLength ? std::string() : std::to_string(length));
  if (request) check(kModel, *request);
  return 0;
}
