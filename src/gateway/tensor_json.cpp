#include "gateway/tensor_json.hpp"

#include "http/message.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fmt/ranges.h>
#include <limits>
#include <variant>

namespace tcfdl::gateway {
namespace {

using inference::ElementType;
using inference::shape_text;

/// An element in C++, of those that go as JSON.
using Sample = std::variant<bool, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::int8_t, std::int16_t,
                            std::int32_t, std::int64_t, float, double>;

struct Datatype {
  ElementType type;
  std::string_view name;
  Sample sample = false;
};

constexpr std::string_view kTexts = "BYTES";
constexpr std::size_t kShownName = 64;
constexpr std::array<Datatype, 13> kDatatypes{{{ElementType::kBool, "BOOL", false},
                                               {ElementType::kUint8, "UINT8", std::uint8_t()},
                                               {ElementType::kUint16, "UINT16", std::uint16_t()},
                                               {ElementType::kUint32, "UINT32", std::uint32_t()},
                                               {ElementType::kUint64, "UINT64", std::uint64_t()},
                                               {ElementType::kInt8, "INT8", std::int8_t()},
                                               {ElementType::kInt16, "INT16", std::int16_t()},
                                               {ElementType::kInt32, "INT32", std::int32_t()},
                                               {ElementType::kInt64, "INT64", std::int64_t()},
                                               {ElementType::kFloat16, "FP16"},
                                               {ElementType::kBfloat16, "BF16"},
                                               {ElementType::kFloat, "FP32", 0.0F},
                                               {ElementType::kDouble, "FP64", 0.0}}};

/// The least number that is no longer rounded to the largest one of the type.
template <class Element> constexpr double kRoundsToInfinity = std::numeric_limits<double>::infinity();
template <> constexpr double kRoundsToInfinity<float> = 0x1.ffffffp127;

/// Calls `use` with an element of that type in C++, where it goes as JSON.
template <class Use> auto with_element(ElementType type, Use use) {
  const auto* const found = std::ranges::find(kDatatypes, type, &Datatype::type);
  return std::visit(use, found == kDatatypes.end() ? Sample() : found->sample);
}

/// Appends an element; gives its text where JSON does not have it.
std::optional<std::string> append_element(Bytes& text, bool truth) {
  const std::string_view word = truth ? "true" : "false";
  text.insert(text.end(), word.begin(), word.end());
  return std::nullopt;
}
template <class Number> std::optional<std::string> append_element(Bytes& text, Number number) {
  std::array<char, 40> digits{};
  const auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  const std::string_view written(digits.data(), static_cast<std::size_t>(end - digits.data()));
  text.insert(text.end(), written.begin(), written.end());
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(number)) return std::string(written);
    const auto is_whole = written.find_first_of(".e") == std::string_view::npos;
    if (is_whole) text.insert(text.end(), {'.', '0'}); // so that it stays a real number
  }
  return std::nullopt;
}

template <class Element> Element element_at(BytesView data, std::size_t at) {
  if constexpr (std::is_same_v<Element, bool>) {
    return data[at] != 0;
  } else {
    Element element{};
    std::memcpy(&element, data.data() + at * sizeof(Element), sizeof(Element));
    return element;
  }
}

std::string kind_text(const nlohmann::json& value) {
  if (value.is_null()) return "null";
  return value.is_string() ? "a text" : "an object";
}

} // namespace

std::string_view datatype_of(ElementType type) noexcept {
  const auto* const found = std::ranges::find(kDatatypes, type, &Datatype::type);
  return found == kDatatypes.end() ? kTexts : found->name;
}

Result<ElementType> type_of_datatype(const std::string& name) {
  const auto* const found = std::ranges::find(kDatatypes, name, &Datatype::name);
  if (found != kDatatypes.end()) return found->type;
  if (name == kTexts) return Error(Code::kInvalidArgument, "has the datatype BYTES, texts, which is not served");
  std::vector<std::string_view> known;
  for (const auto& datatype : kDatatypes) known.push_back(datatype.name);
  return make_error(Code::kInvalidArgument, "has the datatype '{}', known are {}", http::printable(name, kShownName),
                    fmt::join(known, ", "));
}

bool goes_as_json(ElementType type) noexcept {
  return inference::element_size(type) > 0 && type != ElementType::kFloat16 && type != ElementType::kBfloat16;
}

void JsonElements::open() {
  if (!counts_.empty()) ++counts_.back();
  counts_.push_back(0);
  if (extents_.size() < counts_.size()) extents_.emplace_back();
  ragged_ |= deepest_ != 0 && counts_.size() > deepest_;
}

void JsonElements::close() {
  auto& extent = extents_[counts_.size() - 1];
  if (!extent) extent = counts_.back();
  ragged_ |= *extent != counts_.back();
  counts_.pop_back();
}

void JsonElements::note_place() {
  ++counts_.back();
  if (deepest_ == 0) deepest_ = counts_.size();
  ragged_ |= counts_.size() != deepest_;
}

void JsonElements::add(const nlohmann::json& value) {
  note_place();
  if (value.is_number_unsigned()) {
    bits_.push_back(value.get<std::uint64_t>());
    kinds_.push_back(Kind::kUnsigned);
  } else if (value.is_number_integer()) {
    bits_.push_back(std::bit_cast<std::uint64_t>(value.get<std::int64_t>()));
    kinds_.push_back(Kind::kSigned);
  } else if (value.is_number_float()) {
    bits_.push_back(std::bit_cast<std::uint64_t>(value.get<double>()));
    kinds_.push_back(Kind::kReal);
  } else if (value.is_boolean()) {
    bits_.push_back(value.get<bool>() ? 1 : 0);
    kinds_.push_back(Kind::kTruth);
  } else if (!stranger_) {
    stranger_ = kind_text(value);
  }
}

/// A flat list has as many elements as the shape says; a nested one is like the shape at each level.
Status JsonElements::check_nesting(std::span<const std::int64_t> shape) const {
  if (stranger_) return make_error(Code::kInvalidArgument, "{} stands among the numbers of 'data'", *stranger_);
  if (ragged_) return Error(Code::kInvalidArgument, "the rows of 'data' differ in length or depth");
  std::vector<std::int64_t> nested;
  for (const auto& extent : extents_) nested.push_back(static_cast<std::int64_t>(extent.value_or(0)));
  if (nested.size() > 1 && !std::ranges::equal(nested, shape)) {
    return make_error(Code::kInvalidArgument, "'data' is nested as {}, the shape is {}", shape_text(nested),
                      shape_text(shape));
  }
  return {};
}

Result<Bytes> JsonElements::as_tensor(ElementType type, std::span<const std::int64_t> shape) const {
  TCFDL_TRY(check_nesting(shape));
  TCFDL_ASSIGN(const auto size, inference::tensor_bytes(type, shape));
  const auto wanted = size / inference::element_size(type);
  if (bits_.size() != wanted) {
    return make_error(Code::kInvalidArgument, "'data' has {} elements, the shape {} has {}", bits_.size(),
                      shape_text(shape), wanted);
  }
  return with_element(type, [&]<class Element>(Element) { return convert<Element>(type); });
}

template <class Element> Result<Bytes> JsonElements::convert(ElementType type) const {
  Bytes data(bits_.size() * sizeof(Element));
  for (std::size_t i = 0; i < bits_.size(); ++i) {
    const auto value = element<Element>(i);
    if (!value) {
      return make_error(Code::kInvalidArgument, "element {} is {}, which is no {}", i, text_of(i), datatype_of(type));
    }
    std::memcpy(data.data() + i * sizeof(Element), &*value, sizeof(Element));
  }
  return data;
}

/// The element as a value of its type, rounded where that has fewer digits; nullopt where it has no such value.
template <class Element> std::optional<Element> JsonElements::element(std::size_t at) const {
  const auto bits = bits_[at];
  const auto kind = kinds_[at];
  if constexpr (std::is_same_v<Element, bool>) {
    if ((kind != Kind::kTruth && kind != Kind::kUnsigned) || bits > 1) return std::nullopt;
    return bits == 1;
  } else if constexpr (std::is_floating_point_v<Element>) {
    if (kind == Kind::kUnsigned) return static_cast<Element>(bits);
    if (kind == Kind::kSigned) return static_cast<Element>(std::bit_cast<std::int64_t>(bits));
    const auto real = std::bit_cast<double>(bits);
    constexpr auto kLargest = std::numeric_limits<Element>::max();
    if (kind != Kind::kReal || std::abs(real) >= kRoundsToInfinity<Element>) return std::nullopt;
    if (std::abs(real) > kLargest) return std::copysign(kLargest, static_cast<Element>(std::copysign(1.0, real)));
    return static_cast<Element>(real);
  } else {
    const auto whole = std::bit_cast<std::int64_t>(bits);
    if (kind == Kind::kUnsigned && std::in_range<Element>(bits)) return static_cast<Element>(bits);
    if (kind == Kind::kSigned && std::in_range<Element>(whole)) return static_cast<Element>(whole);
    return std::nullopt;
  }
}

std::string JsonElements::text_of(std::size_t at) const {
  switch (kinds_[at]) {
  case Kind::kSigned: return std::to_string(std::bit_cast<std::int64_t>(bits_[at]));
  case Kind::kUnsigned: return std::to_string(bits_[at]);
  case Kind::kReal: return fmt::format("{:#}", std::bit_cast<double>(bits_[at]));
  case Kind::kTruth: return bits_[at] == 1 ? "true" : "false";
  }
  return {};
}

Status append_elements(const inference::TensorView& tensor, Bytes& text) {
  const auto append = [&]<class Element>(Element) -> Status {
    const auto count = tensor.data.size() / sizeof(Element);
    text.push_back('[');
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text.push_back(',');
      if (const auto odd = append_element(text, element_at<Element>(tensor.data, i))) {
        return make_error(Code::kFailedPrecondition, "element {} is {}, which JSON does not have: ask for binary data",
                          i, *odd);
      }
    }
    text.push_back(']');
    return {};
  };
  return with_element(tensor.type, append);
}

} // namespace tcfdl::gateway
