#include "inference/runtime_request.hpp"

#include "http/json.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::inference {
namespace {

constexpr http::JsonLimits kAnswerLimits{.depth = 8, .size = std::size_t{64} << 20U};
constexpr std::int64_t kMostRuns = 10'000;
constexpr std::int64_t kMostThreads = 256;
constexpr auto kMostNumber = std::numeric_limits<std::int64_t>::max();

struct WorkName {
  WorkKind kind;
  std::string_view name;
};

constexpr std::array<WorkName, 6> kWorkNames{{{WorkKind::kDescribe, "describe"},
                                              {WorkKind::kOptimise, "optimise"},
                                              {WorkKind::kPack, "pack"},
                                              {WorkKind::kProfile, "profile"},
                                              {WorkKind::kRun, "run"},
                                              {WorkKind::kRunOnnx, "run-onnx"}}};

std::uint64_t number(http::JsonObject& object, const std::string& key) {
  return static_cast<std::uint64_t>(object.integer_or(key, 0, 0, kMostNumber));
}

} // namespace

std::vector<TensorInfo> read_tensor_infos(http::JsonObject& object, const std::string& key) {
  std::vector<TensorInfo> infos;
  for (auto& item : object.objects(key)) {
    TensorInfo info{.name = item.text("name")};
    info.tensor = item.boolean_or("tensor", true);
    info.type = static_cast<ElementType>(item.integer("type", 0, 255));
    info.shape = item.integers("shape", -1, kMostNumber);
    if (const auto good = item.finish(); !good) object.refuse(key, good.error().message());
    infos.push_back(std::move(info));
  }
  return infos;
}

nlohmann::json to_json(const std::vector<TensorInfo>& infos) {
  auto list = nlohmann::json::array();
  for (const auto& info : infos) {
    list.push_back(
        {{"name", info.name}, {"tensor", info.tensor}, {"type", static_cast<int>(info.type)}, {"shape", info.shape}});
  }
  return list;
}

std::string write_request(const RuntimeRequest& request) {
  const auto* const work = std::ranges::find(kWorkNames, request.kind, &WorkName::kind);
  return http::dump_json({{"kind", work->name},
                          {"model", request.model.string()},
                          {"inputs", request.inputs.string()},
                          {"outputs", request.outputs.string()},
                          {"save", request.save.string()},
                          {"runs", request.runs},
                          {"threads", request.threads},
                          {"prepacking", request.prepacking},
                          {"arena_limit", request.arena_limit}});
}

Result<RuntimeRequest> parse_request(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, "request"));
  RuntimeRequest request;
  const auto kind = object.text("kind");
  const auto* const work = std::ranges::find(kWorkNames, kind, &WorkName::name);
  if (work == kWorkNames.end()) return make_error(Code::kInvalidArgument, "there is no work '{}'", kind);
  request.kind = work->kind;
  request.model = object.text_or("model", "");
  request.inputs = object.text_or("inputs", "");
  request.outputs = object.text_or("outputs", "");
  request.save = object.text_or("save", "");
  request.runs = static_cast<unsigned>(object.integer_or("runs", 1, 1, kMostRuns));
  request.threads = static_cast<unsigned>(object.integer_or("threads", 1, 1, kMostThreads));
  request.prepacking = object.boolean_or("prepacking", false);
  request.arena_limit = number(object, "arena_limit");
  TCFDL_TRY(object.finish());
  return request;
}

std::string write_answer(const Result<RuntimeAnswer>& answer) {
  if (!answer) {
    return http::dump_json({{"code", static_cast<int>(answer.error().code())}, {"message", answer.error().message()}});
  }
  return http::dump_json({{"runtime", answer->runtime},
                          {"instruction_set", answer->instruction_set},
                          {"runtime_file", answer->runtime_file.string()},
                          {"inputs", to_json(answer->inputs)},
                          {"outputs", to_json(answer->outputs)},
                          {"profile", answer->profile.string()},
                          {"peak_memory", answer->peak_memory},
                          {"memory", answer->memory},
                          {"arena_size", answer->arena_size},
                          {"load_us", answer->load_us},
                          {"run_us", answer->run_us}});
}

Result<RuntimeAnswer> parse_answer(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, "the answer of tcfdl-inference", kAnswerLimits));
  if (object.has("code")) {
    const auto code = code_from_number(static_cast<std::uint32_t>(object.integer("code", 0, 16)));
    return Error(code, object.text("message"));
  }
  RuntimeAnswer answer;
  answer.runtime = object.text("runtime");
  answer.instruction_set = object.text("instruction_set");
  answer.runtime_file = object.text_or("runtime_file", "");
  answer.inputs = read_tensor_infos(object, "inputs");
  answer.outputs = read_tensor_infos(object, "outputs");
  answer.profile = object.text_or("profile", "");
  answer.peak_memory = number(object, "peak_memory");
  answer.memory = number(object, "memory");
  answer.arena_size = number(object, "arena_size");
  answer.load_us = number(object, "load_us");
  answer.run_us = number(object, "run_us");
  TCFDL_TRY(object.finish());
  return answer;
}

} // namespace tcfdl::inference
