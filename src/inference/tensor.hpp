// Tensors as they travel between stages. docs/formats/tensors.md.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::inference {

/// Element types by their numbers in ONNX (`TensorProto.DataType`).
enum class ElementType : std::uint8_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
};

constexpr std::size_t kMaxTensors = 4096; ///< in one message
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxTensorName = 1024;                       ///< bytes
constexpr std::uint64_t kMaxTensorBytes = std::uint64_t{1} << 32U; ///< of one tensor

/// Bytes of one element; 0 for types that do not travel (strings, types of less than a byte).
std::size_t element_size(ElementType type) noexcept;

/// `float`, `int64` …; `undefined` for numbers that are not listed.
std::string_view element_name(ElementType type) noexcept;

/// The type of such a name; `kUndefined` for others.
ElementType element_type(std::string_view name) noexcept;

/// What is known of a tensor before it is there. A dimension of -1 is known only when it runs.
struct TensorInfo {
  std::string name;
  ElementType type = ElementType::kUndefined;
  std::vector<std::int64_t> shape = {};
  bool tensor = true; ///< false for sequences, maps and optional values, which do not travel
};

/// A tensor whose elements, row by row in this machine's order of bytes, lie elsewhere.
struct TensorView {
  std::string name;
  ElementType type = ElementType::kUndefined;
  std::vector<std::int64_t> shape = {};
  BytesView data = {};
};

/// `1x3x224x224`; `scalar` for rank 0, `?` for unknown dimensions.
std::string shape_text(std::span<const std::int64_t> shape);

/// Dimensions from such a text, each from 0 to 2^31. INVALID_ARGUMENT.
Result<std::vector<std::int64_t>> parse_shape(std::string_view text);

/// The bytes that a tensor of that type and shape has. INVALID_ARGUMENT for negative dimensions, types that do not
/// travel and more than `kMaxTensorBytes`.
Result<std::uint64_t> tensor_bytes(ElementType type, std::span<const std::int64_t> shape);

/// The bytes of a message with such tensors, whose shapes must be known.
std::uint64_t message_bytes(std::span<const TensorInfo> infos);

/// One message with tensors.
Bytes write_tensors(std::span<const TensorView> tensors);

/// The tensors of a message, which point into it. INVALID_ARGUMENT says what is wrong with which tensor.
Result<std::vector<TensorView>> parse_tensors(BytesView message);

/// The tensors that a model wants, in its order. INVALID_ARGUMENT when one is missing or has another type or shape.
Result<std::vector<TensorView>> select_inputs(std::span<const TensorInfo> wanted, std::span<const TensorView> tensors);

} // namespace tcfdl::inference
