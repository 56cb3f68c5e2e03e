#include "inference/stage_runner.hpp"

#include "base/format.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

bool shape_fits(std::span<const std::int64_t> wanted, std::span<const std::int64_t> shape) {
  const auto same = [](std::int64_t left, std::int64_t right) { return left < 0 || left == right; };
  return std::ranges::equal(wanted, shape, same);
}

/// Shapes of tensors between stages are not always written in the model: rank 0 there says nothing.
Status check_input(const TensorInfo& wanted, const TensorView& tensor) {
  if (tensor.type != wanted.type) {
    return make_error(Code::kInvalidArgument, "input '{}' is {}, the model wants {}", wanted.name,
                      element_name(tensor.type), element_name(wanted.type));
  }
  if (wanted.shape.empty() || shape_fits(wanted.shape, tensor.shape)) return {};
  return make_error(Code::kInvalidArgument, "input '{}' has the shape {}, the model wants {}", wanted.name,
                    shape_text(tensor.shape), shape_text(wanted.shape));
}

} // namespace

Result<std::vector<TensorView>> select_inputs(std::span<const TensorInfo> wanted, std::span<const TensorView> tensors) {
  std::vector<TensorView> selected;
  for (const auto& info : wanted) {
    const auto found = std::ranges::find(tensors, info.name, &TensorView::name);
    if (found == tensors.end()) return make_error(Code::kInvalidArgument, "input '{}' is missing", info.name);
    TCFDL_TRY(check_input(info, *found));
    selected.push_back(*found);
  }
  return selected;
}

Result<StageRunner> StageRunner::load(Bytes model, const StageSettings& settings) {
  TCFDL_ASSIGN(auto session, Session::open_ort(std::move(model), {.threads = settings.threads,
                                                                  .prepacking = settings.prepacking,
                                                                  .arena_limit = settings.arena_limit}));
  return StageRunner(std::move(session));
}

Result<Outputs> StageRunner::run(std::span<const TensorView> tensors) {
  TCFDL_ASSIGN(const auto inputs, select_inputs(session_.inputs(), tensors));
  return session_.run(inputs);
}

} // namespace tcfdl::inference
