// A stage of a deployed model as a function: tensors in, its part of the work, the rest by the stages after it.
#pragma once

#include "inference/stage_description.hpp"
#include "inference/stage_runner.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>

namespace tcfdl::inference {

/// Calls the function of the next stage with a message of tensors; gives its result.
using CallNext = std::function<Result<Bytes>(const std::string& function, BytesView message)>;

/// Thread-safe: tasks take turns to compute, and wait for the stages after this one side by side.
class PipelineStage {
public:
  /// Loads the stage of a bundle and runs it once at its largest shapes. FAILED_PRECONDITION where another ONNX Runtime
  /// or instruction set would compute other bits; errors of `StageRunner`.
  static Result<std::unique_ptr<PipelineStage>> load(const std::filesystem::path& bundle);

  /// The tensors of the model's outputs that this stage and those after it make; of the first stage all, in their
  /// order. INVALID_ARGUMENT names the tensor that is wrong, RESOURCE_EXHAUSTED what does not fit the stage's memory;
  /// the stage lives on.
  Result<Bytes> run(BytesView message, const CallNext& call_next);

  [[nodiscard]] const StageDescription& description() const noexcept { return description_; }

private:
  PipelineStage(StageDescription description, StageRunner runner)
      : description_(std::move(description)), runner_(std::move(runner)) {}

  struct Computed {
    Bytes forwarded;         ///< for the next stage
    Bytes outputs;           ///< of the model
    bool has_outputs = true; ///< it made some
  };
  Status warm_up();
  Result<Computed> compute(BytesView message);
  [[nodiscard]] Result<Bytes> merge(BytesView own, BytesView later) const;
  [[nodiscard]] bool is_first() const noexcept { return description_.stage == 1; }
  [[nodiscard]] bool is_last() const noexcept { return description_.next.empty(); }

  const StageDescription description_;
  std::mutex turn_;
  StageRunner runner_; // of one thread at a time
};

} // namespace tcfdl::inference
