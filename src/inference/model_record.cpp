#include "inference/model_record.hpp"

#include "base/encoding.hpp"
#include "base/ids.hpp"
#include "crypto/hash.hpp"
#include "http/json.hpp"
#include "inference/onnx_model.hpp"
#include "inference/runtime_request.hpp"

#include <charconv>

namespace tcfdl::inference {
namespace {

constexpr std::string_view kModelFormat = "tcfdl-model-1";
constexpr std::string_view kOptimisedFormat = "tcfdl-optimised-model-1";
constexpr http::JsonLimits kRecordLimits{.depth = 8, .size = std::size_t{16} << 20U};
constexpr auto kMostInteger = std::numeric_limits<std::int64_t>::max();

std::vector<StoredFile> files_of(http::JsonObject& object) {
  std::vector<StoredFile> files;
  for (auto& item : object.objects("files")) {
    StoredFile file{.path = item.text("path"), .sha256 = item.text("sha256")};
    file.size = static_cast<std::uint64_t>(item.integer("size", 0, kMostInteger));
    if (!location_is_inside(file.path)) item.refuse("path", "leads out of the model's directory");
    const auto digest = from_hex(file.sha256);
    if (!digest || digest->size() != crypto::kSha256Size) item.refuse("sha256", "is no SHA-256");
    if (const auto good = item.finish(); !good) object.refuse("files", good.error().message());
    files.push_back(std::move(file));
  }
  if (files.empty()) object.refuse("files", "is empty");
  return files;
}

void check_format(http::JsonObject& object, std::string_view wanted) {
  if (object.text("format") != wanted) object.refuse("format", fmt::format("is not {}", wanted));
}

} // namespace

std::string ModelRecord::id() const { return to_hex(crypto::sha256(as_bytes(http::dump_json(to_json(files))))); }

std::uint64_t ModelRecord::size() const {
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.size;
  return bytes;
}

nlohmann::json to_json(const std::vector<StoredFile>& files) {
  auto list = nlohmann::json::array();
  for (const auto& file : files) list.push_back({{"path", file.path}, {"sha256", file.sha256}, {"size", file.size}});
  return list;
}

nlohmann::json to_json(const ModelRecord& record) {
  return {{"format", kModelFormat},           {"name", record.name},
          {"version", record.version},        {"files", to_json(record.files)},
          {"inputs", to_json(record.inputs)}, {"outputs", to_json(record.outputs)}};
}

nlohmann::json to_json(const OptimisedModel& optimised) {
  return {{"format", kOptimisedFormat},
          {"model", optimised.model},
          {"runtime", optimised.target.runtime},
          {"instruction_set", optimised.target.instruction_set},
          {"files", to_json(optimised.files)}};
}

Result<ModelRecord> parse_model_record(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, "model", kRecordLimits));
  check_format(object, kModelFormat);
  ModelRecord record{.name = object.text("name")};
  record.version = static_cast<std::uint64_t>(object.integer("version", 1, kMostInteger));
  record.files = files_of(object);
  record.inputs = read_tensor_infos(object, "inputs");
  record.outputs = read_tensor_infos(object, "outputs");
  TCFDL_TRY(object.finish());
  return record;
}

Result<OptimisedModel> parse_optimised_model(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, "optimised model", kRecordLimits));
  check_format(object, kOptimisedFormat);
  OptimisedModel optimised{.model = object.text("model")};
  optimised.target = {object.text("runtime"), object.text("instruction_set")};
  optimised.files = files_of(object);
  TCFDL_TRY(object.finish());
  return optimised;
}

Result<ModelReference> parse_model_reference(const std::string& text) {
  const auto at = text.find('@');
  TCFDL_ASSIGN(const auto name, parse_function_name(text.substr(0, at)));
  ModelReference reference{.name = name.str()};
  if (at == std::string::npos) return reference;
  const auto* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + at + 1, end, reference.version);
  if (parsed.ec == std::errc() && parsed.ptr == end && reference.version > 0 &&
      std::cmp_less_equal(reference.version, kMostInteger)) {
    return reference;
  }
  return make_error(Code::kInvalidArgument, "'{}' names no version of a model; write it as NAME or NAME@3", text);
}

} // namespace tcfdl::inference
