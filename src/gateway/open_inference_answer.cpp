#include "base/version.hpp"
#include "gateway/open_inference.hpp"
#include "gateway/tensor_json.hpp"
#include "http/json.hpp"

#include <algorithm>

namespace tcfdl::gateway {
namespace {

using inference::ModelDescription;
using inference::TensorInfo;
using inference::TensorView;
using nlohmann::json;

void append(Bytes& text, std::string_view more) { text.insert(text.end(), more.begin(), more.end()); }

std::string as_json(const json& value) { return http::dump_json(value); }

/// An answer as it grows.
class AnswerWriter {
public:
  Status add(const InferRequest::Output& wanted, const TensorView& tensor) {
    append(text_, is_first_ ? "" : ",");
    is_first_ = false;
    append(text_, fmt::format(R"({{"name":{},"datatype":"{}","shape":{},)", as_json(tensor.name),
                              datatype_of(tensor.type), as_json(tensor.shape)));
    if (wanted.binary) {
      append(text_, fmt::format(R"("parameters":{{"binary_data_size":{}}}}})", tensor.data.size()));
      binary_.push_back(tensor.data);
      return {};
    }
    return add_data(tensor);
  }

  void begin(std::string_view text) { append(text_, text); }
  InferAnswer finish() && {
    append(text_, "]}");
    InferAnswer answer;
    if (!binary_.empty()) answer.json_length = text_.size();
    for (const auto& data : binary_) text_.insert(text_.end(), data.begin(), data.end());
    answer.body = std::move(text_);
    return answer;
  }

private:
  Status add_data(const TensorView& tensor) {
    if (!goes_as_json(tensor.type))
      return make_error(Code::kInternal, "{} does not go as JSON", datatype_of(tensor.type));
    elements_ += tensor.data.size() / inference::element_size(tensor.type);
    if (elements_ > kMostJsonElements) {
      return make_error(Code::kFailedPrecondition,
                        "the outputs have more than {} elements, too many for JSON: ask for binary data",
                        kMostJsonElements);
    }
    append(text_, R"("data":)");
    TCFDL_TRY(append_elements(tensor, text_));
    append(text_, "}");
    return {};
  }

  Bytes text_;
  std::vector<BytesView> binary_;
  std::uint64_t elements_ = 0;
  bool is_first_ = true;
};

json describe(const std::vector<TensorInfo>& infos) {
  auto list = json::array();
  for (const auto& info : infos) {
    list.push_back({{"name", info.name}, {"datatype", datatype_of(info.type)}, {"shape", info.shape}});
  }
  return list;
}

} // namespace

Result<InferAnswer> write_infer_answer(const std::string& name, const ModelDescription& model,
                                       const InferRequest& request, std::span<const TensorView> tensors) {
  AnswerWriter writer;
  writer.begin(fmt::format(R"({{"model_name":{},"model_version":"{}",)", as_json(name), model.version));
  if (request.id) writer.begin(fmt::format(R"("id":{},)", as_json(*request.id)));
  writer.begin(R"("outputs":[)");
  for (const auto& output : request.outputs) {
    const auto found = std::ranges::find(tensors, output.name, &TensorView::name);
    if (found == tensors.end())
      return make_error(Code::kInternal, "the model did not make the output '{}'", output.name);
    if (const auto added = writer.add(output, *found); !added) {
      return added.error().within(fmt::format("output '{}'", output.name));
    }
  }
  return std::move(writer).finish();
}

json server_metadata() {
  return {{"name", "tcfdl"}, {"version", kVersion}, {"extensions", json::array({"binary_tensor_data"})}};
}

json model_metadata(const std::string& name, const ModelDescription& model) {
  return {{"name", name},
          {"versions", json::array({std::to_string(model.version)})},
          {"platform", "onnxruntime_onnx"},
          {"inputs", describe(model.inputs)},
          {"outputs", describe(model.outputs)}};
}

} // namespace tcfdl::gateway
