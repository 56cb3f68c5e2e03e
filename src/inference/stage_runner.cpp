#include "inference/stage_runner.hpp"

namespace tcfdl::inference {
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
