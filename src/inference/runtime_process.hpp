// ONNX Runtime's work, each piece in a process of its own.
#pragma once

#include "inference/runtime_request.hpp"

#include <chrono>

namespace tcfdl::inference {

/// Starts `tcfdl-inference`. Thread-safe.
class RuntimeProcess {
public:
  /// `program` is its path; work that takes longer than `most` is ended.
  explicit RuntimeProcess(std::filesystem::path program, std::chrono::milliseconds most = std::chrono::minutes(30))
      : program_(std::move(program)), most_(most) {}

  /// The program beside the running one. NOT_FOUND says where it was looked for.
  static Result<RuntimeProcess> beside_own();

  /// Waits for the answer. Errors of the work; INVALID_ARGUMENT where the model made the process crash;
  /// DEADLINE_EXCEEDED.
  [[nodiscard]] Result<RuntimeAnswer> run(const RuntimeRequest& request) const;

private:
  std::filesystem::path program_;
  std::chrono::milliseconds most_;
};

} // namespace tcfdl::inference
