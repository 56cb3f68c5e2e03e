#include "inference/model_plan.hpp"

#include "http/json.hpp"
#include "inference/onnx_model.hpp"
#include "inference/runtime_request.hpp"

namespace tcfdl::inference {
namespace {

constexpr std::string_view kPlanFormat = "tcfdl-model-plan-1";
constexpr http::JsonLimits kPlanLimits{.depth = 12, .size = std::size_t{64} << 20U};
constexpr auto kMostWhole = std::numeric_limits<std::int64_t>::max();
constexpr double kMostMicros = 1e15;

nlohmann::json tensors_to_json(const std::vector<StageTensor>& tensors) {
  auto list = nlohmann::json::array();
  for (const auto& tensor : tensors) {
    list.push_back({{"name", tensor.info.name},
                    {"type", element_name(tensor.info.type)},
                    {"shape", tensor.info.shape},
                    {"bytes", tensor.bytes},
                    {"from", tensor.from}});
  }
  return list;
}

nlohmann::json stage_to_json(const StagePlan& stage) {
  return {{"node", stage.node},
          {"operators", stage.operators},
          {"first", stage.first},
          {"last", stage.last},
          {"file", {{"path", stage.file.path}, {"sha256", stage.file.sha256}, {"size", stage.file.size}}},
          {"inputs", tensors_to_json(stage.inputs)},
          {"outputs", tensors_to_json(stage.outputs)},
          {"memory", stage.memory},
          {"predicted_memory", stage.predicted_memory},
          {"measured_memory", stage.measured_memory},
          {"weights", stage.weights},
          {"arena_limit", stage.arena_limit},
          {"predicted_us", stage.predicted_us},
          {"measured_us", stage.measured_us},
          {"receive_us", stage.receive_us},
          {"send_us", stage.send_us}};
}

std::uint64_t whole(http::JsonObject& object, const std::string& key) {
  return static_cast<std::uint64_t>(object.integer(key, 0, kMostWhole));
}

double micros(http::JsonObject& object, const std::string& key) { return object.number_or(key, 0, 0, kMostMicros); }

std::vector<StageTensor> read_tensors(http::JsonObject& object, const std::string& key) {
  std::vector<StageTensor> tensors;
  for (auto& item : object.objects(key)) {
    StageTensor tensor{.info = {.name = item.text("name")}};
    tensor.info.type = element_type(item.text("type"));
    tensor.info.shape = item.integers("shape", 0, kMostWhole);
    tensor.bytes = whole(item, "bytes");
    tensor.from = whole(item, "from");
    if (element_size(tensor.info.type) == 0) item.refuse("type", "does not travel");
    if (const auto good = item.finish(); !good) object.refuse(key, good.error().message());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

StoredFile read_stage_file(http::JsonObject& stage) {
  StoredFile file;
  auto object = stage.object("file");
  if (!object) {
    stage.refuse("file", "is missing");
    return file;
  }
  file.path = object->text("path");
  file.sha256 = object->text("sha256");
  file.size = whole(*object, "size");
  if (!location_is_inside(file.path)) object->refuse("path", "leads out of its directory");
  if (const auto good = object->finish(); !good) stage.refuse("file", good.error().message());
  return file;
}

StagePlan read_stage(http::JsonObject& object) {
  StagePlan stage;
  stage.node = object.text("node");
  stage.operators = whole(object, "operators");
  stage.first = object.text_or("first", "");
  stage.last = object.text_or("last", "");
  stage.file = read_stage_file(object);
  stage.inputs = read_tensors(object, "inputs");
  stage.outputs = read_tensors(object, "outputs");
  stage.memory = whole(object, "memory");
  stage.predicted_memory = whole(object, "predicted_memory");
  stage.measured_memory = whole(object, "measured_memory");
  stage.weights = whole(object, "weights");
  stage.arena_limit = whole(object, "arena_limit");
  stage.predicted_us = micros(object, "predicted_us");
  stage.measured_us = micros(object, "measured_us");
  stage.receive_us = micros(object, "receive_us");
  stage.send_us = micros(object, "send_us");
  return stage;
}

std::vector<Alternative> read_alternatives(http::JsonObject& object) {
  std::vector<Alternative> alternatives;
  for (auto& item : object.objects("alternatives")) {
    alternatives.push_back({whole(item, "stages"), micros(item, "bottleneck_us"), micros(item, "latency_us")});
    if (const auto good = item.finish(); !good) object.refuse("alternatives", good.error().message());
  }
  return alternatives;
}

/// Every tensor comes from a stage before the one that reads it.
Status check_order(const std::vector<StagePlan>& stages) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    for (const auto& input : stages[i].inputs) {
      if (input.from <= i) continue;
      return make_error(Code::kInvalidArgument, "stage {} reads '{}' of stage {}, which does not come before it", i + 1,
                        input.info.name, input.from);
    }
  }
  if (!stages.empty()) return {};
  return make_error(Code::kInvalidArgument, "the plan has no stages");
}

} // namespace

std::vector<StoredFile> ModelPlan::files() const {
  std::vector<StoredFile> all;
  for (const auto& stage : stages) all.push_back(stage.file);
  return all;
}

nlohmann::json to_json(const ModelPlan& plan) {
  auto stages = nlohmann::json::array();
  for (const auto& stage : plan.stages) stages.push_back(stage_to_json(stage));
  auto alternatives = nlohmann::json::array();
  for (const auto& each : plan.alternatives) {
    alternatives.push_back(
        {{"stages", each.stages}, {"bottleneck_us", each.bottleneck_us}, {"latency_us", each.latency_us}});
  }
  return {{"format", kPlanFormat},
          {"name", plan.name},
          {"version", plan.version},
          {"model", plan.model},
          {"runtime", plan.target.runtime},
          {"instruction_set", plan.target.instruction_set},
          {"threads", plan.threads},
          {"prepacking", plan.prepacking},
          {"objective", plan.objective == Objective::kLatency ? "latency" : "throughput"},
          {"inputs", to_json(plan.inputs)},
          {"values", plan.values},
          {"stages", stages},
          {"base_memory", plan.base_memory},
          {"reserve", plan.reserve},
          {"bottleneck_us", plan.bottleneck_us},
          {"latency_us", plan.latency_us},
          {"rounds", plan.rounds},
          {"note", plan.note},
          {"alternatives", alternatives},
          {"files", to_json(plan.files())}};
}

Result<ModelPlan> parse_model_plan(BytesView text) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, "plan", kPlanLimits));
  ModelPlan plan;
  if (object.text("format") != kPlanFormat) object.refuse("format", fmt::format("is not {}", kPlanFormat));
  plan.name = object.text("name");
  plan.version = whole(object, "version");
  plan.model = object.text("model");
  plan.target = {object.text("runtime"), object.text("instruction_set")};
  plan.threads = static_cast<unsigned>(object.integer("threads", 1, 256));
  plan.prepacking = object.boolean_or("prepacking", false);
  plan.objective = object.text("objective") == "latency" ? Objective::kLatency : Objective::kThroughput;
  plan.inputs = read_tensor_infos(object, "inputs");
  plan.values = object.number_map("values");
  for (auto& stage : object.objects("stages")) {
    plan.stages.push_back(read_stage(stage));
    TCFDL_TRY(stage.finish());
  }
  plan.base_memory = whole(object, "base_memory");
  plan.reserve = static_cast<std::uint64_t>(object.integer_or("reserve", 0, 0, kMostWhole));
  plan.bottleneck_us = micros(object, "bottleneck_us");
  plan.latency_us = micros(object, "latency_us");
  plan.rounds = static_cast<unsigned>(object.integer("rounds", 0, 1000));
  plan.note = object.text_or("note", "");
  plan.alternatives = read_alternatives(object);
  (void)object.value("files"); // the stages' files again, for who looks for unused ones
  TCFDL_TRY(object.finish());
  TCFDL_TRY(check_order(plan.stages));
  return plan;
}

} // namespace tcfdl::inference
