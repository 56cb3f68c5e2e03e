// Neural networks in ONNX files. ONNX Runtime appears in model.cpp only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <tcfdl/result.hpp>
#include <vector>

namespace plates {

/// Numbers in row-major order; the product of the shape is their count.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// A network with one input and one output. Thread-safe; made once for a process, it keeps its memory.
class Model {
public:
  /// FAILED_PRECONDITION when the file is missing or is no such network.
  static tcfdl::Result<Model> load(const std::filesystem::path& file, unsigned threads);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// INTERNAL when the network fails on this input.
  tcfdl::Result<Tensor> run(Tensor& input) const;

private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace plates
