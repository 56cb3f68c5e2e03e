#include "inference/deployment.hpp"

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "http/json.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

constexpr std::size_t kIdLength = 12; ///< hexadecimal digits of a plan's hash in names

std::string plan_id(const ModelPlan& plan) {
  return to_hex(crypto::sha256(as_bytes(http::dump_json(to_json(plan))))).substr(0, kIdLength);
}

/// The tensors that go from a stage to the next one: all that later stages read and earlier ones made.
std::vector<StageTensor> crossing(const ModelPlan& plan, std::size_t after) {
  std::vector<StageTensor> tensors;
  for (std::size_t i = after; i < plan.stages.size(); ++i) {
    for (const auto& input : plan.stages[i].inputs) {
      const auto same = [&](const StageTensor& each) { return each.info.name == input.info.name; };
      if (input.from <= after && std::ranges::none_of(tensors, same)) tensors.push_back(input);
    }
  }
  return tensors;
}

std::uint64_t message_size(std::span<const StageTensor> tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& tensor : tensors) infos.push_back(tensor.info);
  return message_bytes(infos);
}

/// Tasks whose tensors are in the stage: the one that computes, and those whose results are awaited.
unsigned tasks_in(const ModelPlan& plan, std::size_t stage, std::uint64_t bytes) {
  const auto useful = plan.stages.size() - stage + 1;
  const auto room = plan.reserve > kStageProgramMemory ? plan.reserve - kStageProgramMemory : 0;
  return static_cast<unsigned>(std::min(useful, 1 + room / std::max<std::uint64_t>(bytes, 1)));
}

} // namespace

std::vector<StageFunction> stage_functions(const ModelRecord& record, const ModelPlan& plan, const std::string& name) {
  const auto id = plan_id(plan);
  const auto name_of = [&](std::size_t stage) {
    return stage == 0 ? name : fmt::format("{}/{}/{}", name, id, stage + 1);
  };
  const ModelDescription model{.name = plan.name,
                               .version = plan.version,
                               .stages = plan.stages.size(),
                               .inputs = record.inputs,
                               .outputs = record.outputs};
  std::vector<StageFunction> functions;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const auto& stage = plan.stages[i];
    StageFunction function{.name = name_of(i), .file = stage.file, .memory = stage.memory};
    function.description = {.model = model,
                            .stage = i + 1,
                            .target = plan.target,
                            .file = stage.file.path,
                            .threads = plan.threads,
                            .prepacking = plan.prepacking,
                            .arena_limit = stage.arena_limit};
    for (const auto& input : stage.inputs) {
      function.description.warm_up.push_back(input.info);
      const auto value = plan.values.find(input.info.name);
      if (value != plan.values.end() && input.from == 0) function.description.values.insert(*value);
    }
    const auto sent = crossing(plan, i + 1);
    for (const auto& tensor : sent) function.description.forwarded.push_back(tensor.info.name);
    if (i + 1 < plan.stages.size()) function.description.next = name_of(i + 1);
    function.largest_body = i == 0 ? message_bytes(plan.inputs) : message_size(crossing(plan, i));
    function.concurrency = tasks_in(plan, i, function.largest_body + message_size(sent));
    functions.push_back(std::move(function));
  }
  return functions;
}

bool is_later_stage(std::string_view function, std::string_view pipeline) noexcept {
  if (!function.starts_with(pipeline)) return false;
  auto rest = function.substr(pipeline.size());
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  if (rest.size() < kIdLength + 3 || rest.front() != '/' || rest[kIdLength + 1] != '/') return false;
  const auto number = rest.substr(kIdLength + 2);
  return rest.substr(1, kIdLength).find_first_not_of(kHexDigits) == std::string_view::npos &&
         number.find_first_not_of("0123456789") == std::string_view::npos;
}

} // namespace tcfdl::inference
