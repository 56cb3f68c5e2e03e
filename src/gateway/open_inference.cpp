#include "gateway/open_inference.hpp"

#include "gateway/tensor_json.hpp"
#include "http/json.hpp"
#include "http/message.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <fmt/ranges.h>
#include <set>

namespace tcfdl::gateway {
namespace {

using inference::ElementType;
using inference::ModelDescription;
using inference::shape_text;
using inference::TensorInfo;
using inference::TensorView;
using nlohmann::json;

/// Of a request without its elements.
constexpr std::size_t kMostValues = 100'000;
constexpr std::size_t kShownName = 64;
constexpr std::int64_t kMostWhole = std::numeric_limits<std::int64_t>::max();

/// Takes `data` of the objects in a list of the request, as `inputs[0].data`; the document has its number there.
class DataSink final : public http::JsonSink {
public:
  std::optional<json> take_array(std::size_t depth, const std::string& key) override {
    constexpr std::size_t kInTensor = 3; // the request, its list, the tensor
    if (depth != kInTensor || key != "data") return std::nullopt;
    taken_.emplace_back();
    return json::array({taken_.size() - 1});
  }
  void on_array() override { taken_.back().open(); }
  void on_array_end() override { taken_.back().close(); }
  void on_value(const json& value) override { taken_.back().add(value); }

  /// What the document has in place of an array.
  JsonElements& at(const json& place) { return taken_.at(place.at(0).get<std::size_t>()); }

private:
  std::deque<JsonElements> taken_;
};

/// An input as it is written in a request.
struct GivenInput {
  std::string name;
  std::string datatype;
  std::vector<std::int64_t> shape;
  std::optional<json> data = {};                 ///< its place in the sink
  std::optional<std::uint64_t> binary_size = {}; ///< bytes
};

std::string shown(const std::string& name) { return http::printable(name, kShownName); }

std::string names_of(const std::vector<TensorInfo>& infos) {
  std::vector<std::string> names;
  for (const auto& info : infos) names.push_back(info.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<const TensorInfo*> find(const ModelDescription& model, const std::vector<TensorInfo>& infos,
                               std::string_view what, const std::string& name) {
  const auto found = std::ranges::find(infos, name, &TensorInfo::name);
  if (found != infos.end()) return &*found;
  return make_error(Code::kInvalidArgument, "the model {} has no {} '{}'; it has {}", model.name, what, shown(name),
                    names_of(infos));
}

struct Parts {
  BytesView json;
  BytesView binary;
};

Result<Parts> split(BytesView body, std::string_view json_length) {
  if (json_length.empty()) return Parts{.json = body, .binary = {}};
  std::size_t length = 0;
  const auto* const begin = json_length.data();
  const auto* const end = begin + json_length.size();
  const auto parsed = std::from_chars(begin, end, length);
  if (parsed.ec != std::errc() || parsed.ptr != end || length > body.size()) {
    return make_error(Code::kInvalidArgument, "{}: '{}' is no number of bytes of the body, which has {}",
                      kJsonLengthField, http::printable(json_length, kShownName), body.size());
  }
  return Parts{.json = body.first(length), .binary = body.subspan(length)};
}

/// Reads the parameters of an object, where it has any.
template <class Read> Status read_parameters(http::JsonObject& object, Read read) {
  auto parameters = object.object("parameters");
  if (!parameters) return {};
  read(*parameters);
  return parameters->finish();
}

Result<GivenInput> read_input(http::JsonObject object) {
  GivenInput input;
  input.name = object.text("name");
  input.datatype = object.text("datatype");
  input.shape = object.integers("shape", 0, kMostWhole);
  if (!object.has("shape")) object.refuse("shape", "is missing");
  input.data = object.value("data");
  if (input.data && !input.data->is_array()) object.refuse("data", "is no list");
  const auto read = read_parameters(object, [&](http::JsonObject& parameters) {
    const auto size = parameters.integer_or("binary_data_size", -1, 0, kMostWhole);
    if (size >= 0) input.binary_size = static_cast<std::uint64_t>(size);
  });
  TCFDL_TRY(object.finish());
  TCFDL_TRY(read);
  return input;
}

/// Takes binary data in the order of the inputs.
class BinaryData {
public:
  explicit BinaryData(BytesView rest) : rest_(rest) {}

  Result<BytesView> take(std::uint64_t size) {
    if (size > rest_.size()) {
      return make_error(Code::kInvalidArgument, "has {} bytes of binary data, {} are left in the body", size,
                        rest_.size());
    }
    const auto part = rest_.first(size);
    rest_ = rest_.subspan(size);
    return part;
  }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

private:
  BytesView rest_;
};

/// Makes tensors of what a request has, by what the model wants.
class InputReader {
public:
  InputReader(const ModelDescription& model, DataSink& sink, BytesView binary)
      : model_(model), sink_(sink), binary_(binary) {}

  Status add(const GivenInput& given, InferRequest& request) {
    TCFDL_ASSIGN(const auto* const wanted, find(model_, model_.inputs, "input", given.name));
    if (!seen_.insert(given.name).second)
      return make_error(Code::kInvalidArgument, "input '{}' is there twice", given.name);
    if (const auto fits = check(given, *wanted); !fits) return fits;
    auto tensor = TensorView{.name = given.name, .type = wanted->type, .shape = given.shape};
    const auto taken = given.data ? take_json(given, *given.data, tensor, request.owned) : take_binary(given, tensor);
    if (!taken) return taken.error().within(fmt::format("input '{}'", given.name));
    request.inputs.push_back(std::move(tensor));
    return {};
  }

  Status finish() const {
    for (const auto& wanted : model_.inputs) {
      if (!seen_.contains(wanted.name)) return make_error(Code::kInvalidArgument, "input '{}' is missing", wanted.name);
    }
    if (binary_.left() == 0) return {};
    return make_error(Code::kInvalidArgument, "{} bytes follow the binary data of the inputs", binary_.left());
  }

private:
  static Status check(const GivenInput& given, const TensorInfo& wanted) {
    const auto type = type_of_datatype(given.datatype);
    if (!type) return make_error(Code::kInvalidArgument, "input '{}' {}", given.name, type.error().message());
    if (*type != wanted.type) {
      return make_error(Code::kInvalidArgument, "input '{}' is {}, the model wants {}", given.name, given.datatype,
                        datatype_of(wanted.type));
    }
    const TensorView shaped{.name = given.name, .type = *type, .shape = given.shape};
    TCFDL_TRY(inference::select_inputs(std::span(&wanted, 1), std::span(&shaped, 1)));
    if (given.shape.size() <= inference::kMaxRank) return {};
    return make_error(Code::kInvalidArgument, "input '{}' has {} dimensions, more than {}", given.name,
                      given.shape.size(), inference::kMaxRank);
  }

  Status take_json(const GivenInput& given, const json& place, TensorView& tensor, std::vector<Bytes>& owned) {
    if (given.binary_size) return Error(Code::kInvalidArgument, "has both 'data' and 'binary_data_size'");
    if (!goes_as_json(tensor.type)) {
      return make_error(Code::kInvalidArgument, "{} goes as binary data alone", datatype_of(tensor.type));
    }
    auto& elements = sink_.at(place);
    TCFDL_ASSIGN(auto made, elements.as_tensor(tensor.type, tensor.shape));
    elements = {};
    owned.push_back(std::move(made));
    tensor.data = owned.back();
    return {};
  }

  Status take_binary(const GivenInput& given, TensorView& tensor) {
    if (!given.binary_size) return Error(Code::kInvalidArgument, "has neither 'data' nor 'binary_data_size'");
    TCFDL_ASSIGN(const auto size, inference::tensor_bytes(tensor.type, tensor.shape));
    if (*given.binary_size != size) {
      return make_error(Code::kInvalidArgument, "has {} bytes of binary data, {} of the shape {} has {}",
                        *given.binary_size, datatype_of(tensor.type), shape_text(tensor.shape), size);
    }
    TCFDL_ASSIGN(tensor.data, binary_.take(size));
    const auto is_truth = [](std::uint8_t byte) { return byte <= 1; };
    if (tensor.type != ElementType::kBool || std::ranges::all_of(tensor.data, is_truth)) return {};
    return Error(Code::kInvalidArgument, "has a byte that is neither 0 nor 1, and is BOOL");
  }

  const ModelDescription& model_;
  DataSink& sink_;
  BinaryData binary_;
  std::set<std::string> seen_;
};

Result<InferRequest::Output> read_output(http::JsonObject object, bool binary) {
  InferRequest::Output output{.name = object.text("name"), .binary = binary};
  const auto read = read_parameters(
      object, [&](http::JsonObject& parameters) { output.binary = parameters.boolean_or("binary_data", binary); });
  TCFDL_TRY(object.finish());
  TCFDL_TRY(read);
  return output;
}

Status check_outputs(const ModelDescription& model, const std::vector<InferRequest::Output>& outputs) {
  std::set<std::string> seen;
  for (const auto& output : outputs) {
    TCFDL_ASSIGN(const auto* const info, find(model, model.outputs, "output", output.name));
    if (!seen.insert(output.name).second) {
      return make_error(Code::kInvalidArgument, "output '{}' is asked for twice", output.name);
    }
    if (output.binary || goes_as_json(info->type)) continue;
    return make_error(Code::kInvalidArgument, "output '{}' is {}, which goes as binary data alone: ask for binary_data",
                      output.name, datatype_of(info->type));
  }
  return {};
}

/// All outputs where the request names none.
Result<std::vector<InferRequest::Output>> read_outputs(const ModelDescription& model,
                                                       std::vector<http::JsonObject> objects, bool binary) {
  std::vector<InferRequest::Output> outputs;
  for (auto& object : objects) {
    TCFDL_ASSIGN(auto output, read_output(std::move(object), binary));
    outputs.push_back(std::move(output));
  }
  if (outputs.empty()) {
    for (const auto& info : model.outputs) outputs.push_back({.name = info.name, .binary = binary});
  }
  TCFDL_TRY(check_outputs(model, outputs));
  return outputs;
}

} // namespace

Result<InferRequest> read_infer_request(const ModelDescription& model, BytesView body, std::string_view json_length) {
  TCFDL_ASSIGN(const auto parts, split(body, json_length));
  DataSink sink;
  TCFDL_ASSIGN(auto document, http::parse_json(parts.json, {.size = kLargestJson, .values = kMostValues}, &sink));
  TCFDL_ASSIGN(auto object, http::JsonObject::of(std::move(document), "request"));
  InferRequest request;
  if (object.has("id")) request.id = object.text("id");
  bool binary = false;
  const auto parameters =
      read_parameters(object, [&](http::JsonObject& some) { binary = some.boolean_or("binary_data_output", false); });
  auto inputs = object.objects("inputs");
  auto outputs = object.objects("outputs");
  TCFDL_TRY(object.finish());
  TCFDL_TRY(parameters);
  InputReader reader(model, sink, parts.binary);
  for (auto& input : inputs) {
    TCFDL_ASSIGN(const auto given, read_input(std::move(input)));
    TCFDL_TRY(reader.add(given, request));
  }
  TCFDL_TRY(reader.finish());
  TCFDL_ASSIGN(request.outputs, read_outputs(model, std::move(outputs), binary));
  return request;
}

} // namespace tcfdl::gateway
