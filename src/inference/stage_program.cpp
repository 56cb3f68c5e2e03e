#include "inference/stage_program.hpp"

#include "http/json.hpp"
#include "inference/pipeline_stage.hpp"

#include <cstdio>
#include <tcfdl/function.hpp>

namespace tcfdl::inference {
namespace {

/// Model files may be confidential files of the bundle, which are there once the platform admits this process.
Result<std::unique_ptr<PipelineStage>> load_admitted() {
  TCFDL_TRY(prepare());
  return PipelineStage::load(".");
}

Result<Bytes> answer(PipelineStage& stage, TaskContext& task, BytesView body) {
  const auto& description = stage.description();
  if (task.content_type() == kModelType) return to_bytes(http::dump_json(to_json(description.model)));
  return stage.run(body, [&](const std::string& function, BytesView message) -> Result<Bytes> {
    CallOptions options;
    options.timeout = task.time_left();
    options.content_type = kTensorsType;
    TCFDL_ASSIGN(auto called, task.call(function, message, std::move(options)));
    return std::move(called.body);
  });
}

} // namespace

int serve_stage() {
  const auto stage = load_admitted();
  if (!stage) {
    fmt::print(stderr, "tcfdl-stage: {}\n", stage.error().to_string());
    return 1;
  }
  return serve([&](TaskContext& task, BytesView body) { return answer(**stage, task, body); });
}

} // namespace tcfdl::inference
