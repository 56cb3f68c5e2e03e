#include "inference/stage_description.hpp"

#include "http/json.hpp"
#include "inference/runtime_request.hpp"

namespace tcfdl::inference {
namespace {

constexpr std::string_view kStageFormat = "tcfdl-stage-1";
constexpr http::JsonLimits kLimits{.depth = 8, .size = std::size_t{16} << 20U};
constexpr auto kMostWhole = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostStages = 1024;

ModelDescription read_model(http::JsonObject& object) {
  ModelDescription model;
  model.name = object.text("name");
  model.version = static_cast<std::uint64_t>(object.integer("version", 1, kMostWhole));
  model.stages = static_cast<std::size_t>(object.integer("stages", 1, kMostStages));
  model.inputs = read_tensor_infos(object, "inputs");
  model.outputs = read_tensor_infos(object, "outputs");
  return model;
}

} // namespace

nlohmann::json to_json(const ModelDescription& description) {
  return {{"name", description.name},
          {"version", description.version},
          {"stages", description.stages},
          {"inputs", to_json(description.inputs)},
          {"outputs", to_json(description.outputs)}};
}

Result<ModelDescription> parse_model_description(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, "description of the model", kLimits));
  auto model = read_model(object);
  TCFDL_TRY(object.finish());
  return model;
}

nlohmann::json to_json(const StageDescription& description) {
  return {{"format", kStageFormat},
          {"model", to_json(description.model)},
          {"stage", description.stage},
          {"runtime", description.target.runtime},
          {"instruction_set", description.target.instruction_set},
          {"file", description.file},
          {"threads", description.threads},
          {"prepacking", description.prepacking},
          {"arena_limit", description.arena_limit},
          {"warm_up", to_json(description.warm_up)},
          {"values", description.values},
          {"next", description.next},
          {"forwarded", description.forwarded}};
}

Result<StageDescription> parse_stage_description(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, kStageFile, kLimits));
  StageDescription description;
  if (object.text("format") != kStageFormat) object.refuse("format", fmt::format("is not {}", kStageFormat));
  auto model = object.object("model");
  if (!model) return make_error(Code::kInvalidArgument, "{}: 'model' is missing", kStageFile);
  description.model = read_model(*model);
  TCFDL_TRY(model->finish());
  description.stage =
      static_cast<std::size_t>(object.integer("stage", 1, static_cast<std::int64_t>(description.model.stages)));
  description.target = {object.text("runtime"), object.text("instruction_set")};
  description.file = object.text("file");
  description.threads = static_cast<unsigned>(object.integer("threads", 1, 256));
  description.prepacking = object.boolean_or("prepacking", false);
  description.arena_limit = static_cast<std::uint64_t>(object.integer("arena_limit", 0, kMostWhole));
  description.warm_up = read_tensor_infos(object, "warm_up");
  description.values = object.number_map("values");
  description.next = object.text_or("next", "");
  description.forwarded = object.texts("forwarded");
  if (description.next.empty() != (description.stage == description.model.stages)) {
    object.refuse("next", "belongs to every stage but the last");
  }
  TCFDL_TRY(object.finish());
  return description;
}

} // namespace tcfdl::inference
