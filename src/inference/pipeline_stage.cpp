#include "inference/pipeline_stage.hpp"

#include "base/file.hpp"
#include "inference/model_inputs.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

constexpr std::size_t kLargestDescription = std::size_t{16} << 20U;
constexpr std::size_t kLargestStage = std::size_t{2} << 30U; ///< of ONNX Runtime's format

/// The tensors of these names; names that are not there are left out.
std::vector<TensorView> picked(std::span<const std::string> names, std::span<const TensorView> from) {
  std::vector<TensorView> found;
  for (const auto& name : names) {
    const auto at = std::ranges::find(from, name, &TensorView::name);
    if (at != from.end()) found.push_back(*at);
  }
  return found;
}

std::vector<std::string> names_of(std::span<const TensorInfo> infos) {
  std::vector<std::string> names;
  for (const auto& info : infos) names.push_back(info.name);
  return names;
}

std::vector<TensorView> joined(std::vector<TensorView> some, std::span<const TensorView> more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

/// Exactly what the model takes.
Status check_inputs(const ModelDescription& model, std::span<const TensorView> tensors) {
  TCFDL_TRY(select_inputs(model.inputs, tensors));
  for (const auto& tensor : tensors) {
    if (std::ranges::find(model.inputs, tensor.name, &TensorInfo::name) == model.inputs.end())
      return make_error(Code::kInvalidArgument, "the model {} has no input '{}'", model.name, tensor.name);
  }
  if (tensors.size() == model.inputs.size()) return {};
  return make_error(Code::kInvalidArgument, "an input is there twice");
}

} // namespace

Result<std::unique_ptr<PipelineStage>> PipelineStage::load(const std::filesystem::path& bundle) {
  TCFDL_ASSIGN(const auto text, read_regular_file(bundle / kStageFile, kLargestDescription));
  TCFDL_ASSIGN(auto description, parse_stage_description(text));
  TCFDL_TRY(check_target(description.target, {runtime_version(), instruction_set()}));
  TCFDL_ASSIGN(auto model, read_regular_file(bundle / description.file, kLargestStage));
  TCFDL_ASSIGN(auto runner, StageRunner::load(std::move(model), {.threads = description.threads,
                                                                 .prepacking = description.prepacking,
                                                                 .arena_limit = description.arena_limit}));
  std::unique_ptr<PipelineStage> stage(new PipelineStage(std::move(description), std::move(runner)));
  if (const auto warm = stage->warm_up(); !warm) return warm.error().within("a run at the largest shapes");
  return stage;
}

Status PipelineStage::warm_up() {
  InputSources sources;
  sources.values = description_.values;
  TCFDL_ASSIGN(const auto inputs, make_inputs(description_.warm_up, sources));
  TCFDL_TRY(runner_.run(inputs.views));
  return {};
}

Result<PipelineStage::Computed> PipelineStage::compute(BytesView message) {
  TCFDL_ASSIGN(const auto received, parse_tensors(message));
  if (is_first()) TCFDL_TRY(check_inputs(description_.model, received));
  const std::scoped_lock turn(turn_);
  TCFDL_ASSIGN(const auto made, runner_.run(received));
  Computed computed;
  const auto outputs = picked(names_of(description_.model.outputs), made.tensors);
  computed.outputs = write_tensors(outputs);
  computed.has_outputs = !outputs.empty();
  if (!is_last()) computed.forwarded = write_tensors(picked(description_.forwarded, joined(made.tensors, received)));
  return computed;
}

Result<Bytes> PipelineStage::merge(BytesView own, BytesView later) const {
  TCFDL_ASSIGN(auto tensors, parse_tensors(own));
  TCFDL_ASSIGN(const auto others, parse_tensors(later));
  tensors = picked(names_of(description_.model.outputs), joined(std::move(tensors), others));
  if (!is_first() || tensors.size() == description_.model.outputs.size()) return write_tensors(tensors);
  return Error(Code::kInternal, "the stages did not make every output of the model");
}

Result<Bytes> PipelineStage::run(BytesView message, const CallNext& call_next) {
  auto computed = compute(message);
  const auto where = [&] { return fmt::format("stage {} of {}", description_.stage, description_.model.stages); };
  if (!computed) return computed.error().within(where());
  if (is_last()) return is_first() ? merge(computed->outputs, write_tensors({})) : std::move(computed->outputs);
  TCFDL_ASSIGN(auto later, call_next(description_.next, computed->forwarded));
  if (!is_first() && !computed->has_outputs) return later;
  return merge(computed->outputs, later);
}

} // namespace tcfdl::inference
