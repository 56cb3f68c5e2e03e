#include "inference/tensor.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

namespace tcfdl::inference {
namespace {

static_assert(std::endian::native == std::endian::little, "messages with tensors are little-endian");

constexpr std::string_view kTensorMagic = "TCFDLTN1";
constexpr std::size_t kTensorAlignment = 64; ///< of elements in a message, for vector instructions
constexpr std::uint64_t kLargestDimension = std::uint64_t{1} << 31U;

struct ElementKind {
  ElementType type;
  std::string_view name;
  std::size_t size;
};

constexpr std::array<ElementKind, 15> kElementKinds{{{ElementType::kFloat, "float", 4},
                                                     {ElementType::kUint8, "uint8", 1},
                                                     {ElementType::kInt8, "int8", 1},
                                                     {ElementType::kUint16, "uint16", 2},
                                                     {ElementType::kInt16, "int16", 2},
                                                     {ElementType::kInt32, "int32", 4},
                                                     {ElementType::kInt64, "int64", 8},
                                                     {ElementType::kString, "string", 0},
                                                     {ElementType::kBool, "bool", 1},
                                                     {ElementType::kFloat16, "float16", 2},
                                                     {ElementType::kDouble, "double", 8},
                                                     {ElementType::kUint32, "uint32", 4},
                                                     {ElementType::kUint64, "uint64", 8},
                                                     {ElementType::kBfloat16, "bfloat16", 2},
                                                     {ElementType::kUndefined, "undefined", 0}}};

const ElementKind& kind_of(ElementType type) noexcept {
  const auto* const found = std::ranges::find(kElementKinds, type, &ElementKind::type);
  return found == kElementKinds.end() ? kElementKinds.back() : *found;
}

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

template <class Number> void put(Bytes& out, Number number) {
  std::array<std::uint8_t, sizeof(Number)> bytes{};
  std::memcpy(bytes.data(), &number, sizeof(Number));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// What stands before the elements, and where the elements of each tensor begin.
Bytes tensor_head(std::span<const TensorView> tensors) {
  Bytes head = to_bytes(kTensorMagic);
  put(head, static_cast<std::uint32_t>(tensors.size()));
  for (const auto& tensor : tensors) {
    put(head, static_cast<std::uint8_t>(tensor.type));
    put(head, static_cast<std::uint8_t>(tensor.shape.size()));
    put(head, static_cast<std::uint16_t>(tensor.name.size()));
    head.insert(head.end(), tensor.name.begin(), tensor.name.end());
    for (const auto dimension : tensor.shape) put(head, dimension);
  }
  head.resize(aligned(head.size()));
  return head;
}

/// Takes fields off the front of a message.
class TensorReader {
public:
  explicit TensorReader(BytesView rest) : all_(rest), rest_(rest) {}
  template <class Number> bool take(Number& number) {
    if (rest_.size() < sizeof(Number)) return false;
    std::memcpy(&number, rest_.data(), sizeof(Number));
    rest_ = rest_.subspan(sizeof(Number));
    return true;
  }
  bool take(std::size_t size, BytesView& part) {
    if (rest_.size() < size) return false;
    part = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }
  /// Zeros up to the next boundary.
  bool skip_padding() {
    const auto at = all_.size() - rest_.size();
    BytesView padding;
    return take(aligned(at) - at, padding) && std::ranges::all_of(padding, [](auto byte) { return byte == 0; });
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

private:
  BytesView all_;
  BytesView rest_;
};

bool take_head(TensorReader& reader, TensorView& tensor) {
  std::uint8_t type = 0;
  std::uint8_t rank = 0;
  std::uint16_t length = 0;
  BytesView name;
  if (!reader.take(type) || !reader.take(rank) || !reader.take(length) || rank > kMaxRank) return false;
  if (length > kMaxTensorName || !reader.take(length, name)) return false;
  tensor.type = static_cast<ElementType>(type);
  tensor.name = as_text(name);
  tensor.shape.resize(rank);
  return std::ranges::all_of(tensor.shape, [&](auto& dimension) { return reader.take(dimension); });
}

Error truncated(const TensorView& tensor) {
  return make_error(Code::kInvalidArgument, "the message with tensors ends or is malformed within tensor '{}'",
                    tensor.name);
}

bool shape_fits(std::span<const std::int64_t> wanted, std::span<const std::int64_t> shape) {
  const auto same = [](std::int64_t left, std::int64_t right) { return left < 0 || left == right; };
  return std::ranges::equal(wanted, shape, same);
}

/// Shapes of tensors between stages are not always written in the model: rank 0 there says nothing.
Status check_input(const TensorInfo& wanted, const TensorView& tensor) {
  if (tensor.type != wanted.type) {
    return make_error(Code::kInvalidArgument, "input '{}' is {}, the model wants {}", wanted.name,
                      element_name(tensor.type), element_name(wanted.type));
  }
  if (wanted.shape.empty() || shape_fits(wanted.shape, tensor.shape)) return {};
  return make_error(Code::kInvalidArgument, "input '{}' has the shape {}, the model wants {}", wanted.name,
                    shape_text(tensor.shape), shape_text(wanted.shape));
}

} // namespace

std::size_t element_size(ElementType type) noexcept { return kind_of(type).size; }

std::string_view element_name(ElementType type) noexcept { return kind_of(type).name; }

ElementType element_type(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kElementKinds, name, &ElementKind::name);
  return found == kElementKinds.end() ? ElementType::kUndefined : found->type;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text;
  for (const auto dimension : shape) {
    text += (text.empty() ? "" : "x") + (dimension < 0 ? std::string("?") : std::to_string(dimension));
  }
  return text.empty() ? "scalar" : text;
}

Result<std::vector<std::int64_t>> parse_shape(std::string_view text) {
  std::vector<std::int64_t> shape;
  const auto* at = text.data();
  const auto* const end = at + text.size();
  if (text == "scalar") return shape;
  for (;;) {
    std::uint64_t dimension = 0;
    const auto parsed = std::from_chars(at, end, dimension);
    if (parsed.ec != std::errc() || dimension > kLargestDimension || shape.size() == kMaxRank) break;
    shape.push_back(static_cast<std::int64_t>(dimension));
    if (parsed.ptr == end) return shape;
    if (*parsed.ptr != 'x') break;
    at = parsed.ptr + 1;
  }
  return make_error(Code::kInvalidArgument, "'{}' is no shape; write it as 1x3x224x224", text.substr(0, 80));
}

Result<std::uint64_t> tensor_bytes(ElementType type, std::span<const std::int64_t> shape) {
  std::uint64_t bytes = element_size(type);
  if (bytes == 0) return make_error(Code::kInvalidArgument, "tensors of type {} do not travel", element_name(type));
  for (const auto dimension : shape) {
    if (dimension < 0) return make_error(Code::kInvalidArgument, "the shape {} is not known", shape_text(shape));
  }
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  for (const auto dimension : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dimension), &bytes) || bytes > kMaxTensorBytes) {
      return make_error(Code::kInvalidArgument, "a tensor of {} {} has more than {} bytes", element_name(type),
                        shape_text(shape), kMaxTensorBytes);
    }
  }
  return bytes;
}

std::uint64_t message_bytes(std::span<const TensorInfo> infos) {
  std::vector<TensorView> views;
  std::uint64_t elements = 0;
  for (const auto& info : infos) {
    views.push_back({.name = info.name, .type = info.type, .shape = info.shape});
    elements += aligned(tensor_bytes(info.type, info.shape).value_or(0));
  }
  return tensor_head(views).size() + elements;
}

Bytes write_tensors(std::span<const TensorView> tensors) {
  auto message = tensor_head(tensors);
  for (const auto& tensor : tensors) {
    message.insert(message.end(), tensor.data.begin(), tensor.data.end());
    message.resize(aligned(message.size()));
  }
  return message;
}

Result<std::vector<TensorView>> parse_tensors(BytesView message) {
  TensorReader reader(message);
  BytesView magic;
  std::uint32_t count = 0;
  if (!reader.take(kTensorMagic.size(), magic) || as_text(magic) != kTensorMagic || !reader.take(count) ||
      count > kMaxTensors) {
    return make_error(Code::kInvalidArgument, "this is no message with tensors of the format {}", kTensorMagic);
  }
  std::vector<TensorView> tensors(count);
  for (auto& tensor : tensors) {
    if (!take_head(reader, tensor)) return truncated(tensor);
  }
  if (!reader.skip_padding()) return make_error(Code::kInvalidArgument, "the head of the tensors has no end");
  for (auto& tensor : tensors) {
    const auto size = tensor_bytes(tensor.type, tensor.shape);
    if (!size) return size.error().within(fmt::format("tensor '{}'", tensor.name));
    if (!reader.take(*size, tensor.data) || !reader.skip_padding()) return truncated(tensor);
  }
  if (!reader.empty()) return make_error(Code::kInvalidArgument, "there are bytes after the last tensor");
  return tensors;
}

Result<std::vector<TensorView>> select_inputs(std::span<const TensorInfo> wanted, std::span<const TensorView> tensors) {
  std::vector<TensorView> selected;
  for (const auto& info : wanted) {
    const auto found = std::ranges::find(tensors, info.name, &TensorView::name);
    if (found == tensors.end()) return make_error(Code::kInvalidArgument, "input '{}' is missing", info.name);
    TCFDL_TRY(check_input(info, *found));
    selected.push_back(*found);
  }
  return selected;
}

} // namespace tcfdl::inference
