// ONNX Runtime behind results: the only user of its API.
#pragma once

#include "inference/tensor.hpp"

#include <filesystem>
#include <memory>

namespace tcfdl::inference {

/// How a session runs. Two sessions give the same bits only with the same threads and prepacking.
struct SessionSettings {
  bool optimise = false;                     ///< all graph optimisations; otherwise none
  unsigned threads = 1;                      ///< inside an operator
  bool prepacking = false;                   ///< copies of weights in a form that is faster for some kernels
  std::uint64_t arena_limit = 0;             ///< bytes for tensors while it runs; 0: no limit
  std::filesystem::path save_onnx = {};      ///< the graph as it will run, its weights in `save_onnx` + `.weights`
  std::filesystem::path save_ort = {};       ///< the same in ONNX Runtime's own format
  std::filesystem::path profile_prefix = {}; ///< times of each node, once the session ends
};

/// Tensors that a run made; the views live as long as this.
struct Outputs {
  std::shared_ptr<const void> owner;
  std::vector<TensorView> tensors;
};

/// One model, loaded. One thread at a time.
class Session {
public:
  /// Loads an ONNX file, with its external data beside it. INVALID_ARGUMENT with ONNX Runtime's reason.
  static Result<Session> open_onnx(const std::filesystem::path& file, const SessionSettings& settings);

  /// Loads a model in ONNX Runtime's own format, whose weights are then used where they are in `model`: the buffer is
  /// the only copy. INVALID_ARGUMENT with ONNX Runtime's reason.
  static Result<Session> open_ort(Bytes model, const SessionSettings& settings);

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const noexcept;
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const noexcept;

  /// Runs the model on inputs that fit it. RESOURCE_EXHAUSTED beyond the arena's limit, INTERNAL for other failures,
  /// with ONNX Runtime's reason.
  Result<Outputs> run(std::span<const TensorView> inputs);

  /// The bytes that its arena took from the system, gaps between tensors included; it never gives any back. This is
  /// what `arena_limit` limits.
  [[nodiscard]] std::uint64_t arena_size() const;

  /// The file with the times so far, where the settings ask for one. Ends profiling.
  Result<std::filesystem::path> end_profiling();

private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  static Result<Session> finish(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// ONNX Runtime's version, as `1.29.0`.
std::string runtime_version();

/// The file from which it was loaded.
std::filesystem::path runtime_file();

/// The instruction set whose kernels ONNX Runtime chooses, as `x86_64+avx2+avx512f`. Optimised models of one are for no
/// other, and results of two differ in bits.
std::string instruction_set();

} // namespace tcfdl::inference
