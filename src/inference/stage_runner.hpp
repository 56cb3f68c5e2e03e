// One stage of a model, or a whole one, as it runs inside an enclave: a buffer with the model, tensors in, tensors out.
#pragma once

#include "inference/onnx_runtime.hpp"

namespace tcfdl::inference {

struct StageSettings {
  unsigned threads = 1;
  bool prepacking = false;
  std::uint64_t arena_limit = 0; ///< bytes for tensors while it runs; 0: no limit
};

/// Owns the model's buffer. One thread at a time. Needs neither ONNX's protobuf nor a plan.
class StageRunner {
public:
  /// Takes a model in ONNX Runtime's own format. Errors of `Session::open_ort`.
  static Result<StageRunner> load(Bytes model, const StageSettings& settings);

  /// Runs the stage on the tensors that it needs, by name; others are left alone. INVALID_ARGUMENT when one is missing
  /// or has another type or shape than the stage; errors of `Session::run`.
  Result<Outputs> run(std::span<const TensorView> tensors);

  [[nodiscard]] const Session& session() const noexcept { return session_; }

private:
  explicit StageRunner(Session session) : session_(std::move(session)) {}
  Session session_;
};

} // namespace tcfdl::inference
