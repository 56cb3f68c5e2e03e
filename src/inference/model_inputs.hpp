// Tensors to measure and verify models with.
#pragma once

#include "inference/tensor.hpp"

#include <filesystem>
#include <map>

namespace tcfdl::inference {

/// Where the tensors of a model's inputs come from, by input.
struct InputSources {
  std::map<std::string, std::vector<std::int64_t>> shapes = {};
  std::map<std::string, std::filesystem::path> files = {}; ///< NumPy arrays (.npy)
  std::map<std::string, double> values = {};               ///< that all elements have
  std::uint64_t seed = 1;                                  ///< of what is drawn for the other inputs
};

/// Tensors with their elements.
struct InputTensors {
  std::vector<Bytes> owned;
  std::vector<TensorView> views;
};

/// A tensor for each input: of its file, or drawn: floating-point numbers from -1 to 1, whole ones 0 or 1. An unknown
/// first dimension counts as 1. INVALID_ARGUMENT where a shape is not known or does not fit, and for sources that
/// belong to no input.
Result<InputTensors> make_inputs(const std::vector<TensorInfo>& inputs, const InputSources& sources);

/// An array of NumPy's format 1 to 3 in C order and little-endian; the view's name is empty. INVALID_ARGUMENT says what
/// is wrong with it.
Result<TensorView> parse_npy(BytesView file);

/// A tensor as such an array, of format 1. INVALID_ARGUMENT for types that NumPy does not have.
Result<Bytes> write_npy(const TensorView& tensor);

} // namespace tcfdl::inference
