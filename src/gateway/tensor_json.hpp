// The elements of tensors as JSON has them, and the names of their types in the Open Inference Protocol.
#pragma once

#include "inference/tensor.hpp"

#include <nlohmann/json.hpp>
#include <optional>

namespace tcfdl::gateway {

/// `FP32`, `INT64` …; `BYTES` for texts and for what is no tensor of numbers.
std::string_view datatype_of(inference::ElementType type) noexcept;

/// The type of such a name. INVALID_ARGUMENT for other names, and for BYTES, which is not served.
Result<inference::ElementType> type_of_datatype(const std::string& name);

/// Whether JSON has such elements; there is no number of 16 bits there.
bool goes_as_json(inference::ElementType type) noexcept;

/// Elements as they stand in JSON, nested or flat, until their type is known: 9 bytes each.
class JsonElements {
public:
  void open();
  void close();
  void add(const nlohmann::json& value);

  /// The elements of a tensor, in this machine's order of bytes. INVALID_ARGUMENT where their number, their nesting or
  /// one of them does not fit; the number is compared before memory is taken.
  [[nodiscard]] Result<Bytes> as_tensor(inference::ElementType type, std::span<const std::int64_t> shape) const;

private:
  enum class Kind : std::uint8_t { kSigned, kUnsigned, kReal, kTruth };

  void note_place();
  [[nodiscard]] Status check_nesting(std::span<const std::int64_t> shape) const;
  [[nodiscard]] std::string text_of(std::size_t at) const;
  template <class Element> [[nodiscard]] std::optional<Element> element(std::size_t at) const;
  template <class Element> [[nodiscard]] Result<Bytes> convert(inference::ElementType type) const;

  std::vector<std::uint64_t> bits_; ///< of the widest number of the kind
  std::vector<Kind> kinds_;
  std::optional<std::string> stranger_;             ///< the first value that is neither number nor truth value
  std::vector<std::size_t> counts_;                 ///< of what is in each array that is open
  std::vector<std::optional<std::size_t>> extents_; ///< of arrays at each level
  std::size_t deepest_ = 0;                         ///< the level at which elements stand; 0: none yet
  bool ragged_ = false;
};

/// Appends the elements of a tensor as a flat list. FAILED_PRECONDITION for numbers that JSON does not have.
Status append_elements(const inference::TensorView& tensor, Bytes& text);

} // namespace tcfdl::gateway
