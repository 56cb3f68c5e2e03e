#include "inference/model_inputs.hpp"

#include "base/file.hpp"
#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <random>

namespace tcfdl::inference {
namespace {

constexpr std::uint64_t kLargestArray = kMaxTensorBytes + 65536;
constexpr std::string_view kNpyMagic = "\x93NUMPY";

struct NpyType {
  std::string_view text;
  ElementType type;
};

constexpr std::array<NpyType, 12> kNpyTypes{{{"<f4", ElementType::kFloat},
                                             {"<f8", ElementType::kDouble},
                                             {"<f2", ElementType::kFloat16},
                                             {"|u1", ElementType::kUint8},
                                             {"|i1", ElementType::kInt8},
                                             {"<u2", ElementType::kUint16},
                                             {"<i2", ElementType::kInt16},
                                             {"<u4", ElementType::kUint32},
                                             {"<i4", ElementType::kInt32},
                                             {"<u8", ElementType::kUint64},
                                             {"<i8", ElementType::kInt64},
                                             {"|b1", ElementType::kBool}}};

/// What follows `'key':` in the header's dictionary, without leading blanks.
std::string_view npy_value(std::string_view header, std::string_view key) {
  const auto at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return {};
  const auto value = header.substr(at + key.size() + 3);
  return value.substr(std::min(value.size(), value.find_first_not_of(' ')));
}

/// `(1, 3, 224, 224)`, `(5,)` or `()`.
std::optional<std::vector<std::int64_t>> npy_shape(std::string_view text) {
  const auto end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos) return std::nullopt;
  std::string form;
  for (const char each : text.substr(1, end - 1)) {
    if (each != ' ') form += each == ',' ? 'x' : each;
  }
  if (form.ends_with('x')) form.pop_back();
  if (form.empty()) return std::vector<std::int64_t>();
  auto shape = parse_shape(form);
  if (!shape) return std::nullopt;
  return *std::move(shape);
}

Error no_array(std::string_view why) {
  return make_error(Code::kInvalidArgument, "this is no NumPy array that fits here: {}", why);
}

/// The dictionary of an array, and where its elements begin.
Result<std::pair<std::string_view, std::size_t>> npy_header(BytesView file) {
  const auto text = as_text(file);
  constexpr std::size_t kLengthAt = 8;
  if (file.size() < kLengthAt + 4 || !text.starts_with(kNpyMagic)) return no_array("it does not begin with \\x93NUMPY");
  const std::size_t width = file[kNpyMagic.size()] == 1 ? 2 : 4;
  std::uint32_t length = 0;
  std::memcpy(&length, file.data() + kLengthAt, width);
  const auto begin = kLengthAt + width + length;
  if (begin > file.size()) return no_array("it ends within its header");
  return std::pair{text.substr(kLengthAt + width, length), begin};
}

/// The bits of a float16 nearest to zero from a number; enough for what is made up here: subnormal ones become 0.
std::uint16_t half_of(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const auto exponent = static_cast<int>((bits >> 23U) & 0xFFU) - 127 + 15;
  const auto sign = (bits >> 16U) & 0x8000U;
  if (exponent <= 0) return static_cast<std::uint16_t>(sign);
  if (exponent >= 31) return static_cast<std::uint16_t>(sign | 0x7C00U);
  return static_cast<std::uint16_t>(sign | (static_cast<std::uint32_t>(exponent) << 10U) | ((bits >> 13U) & 0x3FFU));
}

template <class Number> void put_number(Bytes& data, std::size_t at, Number number) {
  std::memcpy(&data[at], &number, sizeof(Number));
}

void put_element(ElementType type, double number, Bytes& data, std::size_t at) {
  const auto single = static_cast<float>(number);
  const auto whole = static_cast<std::int64_t>(number);
  switch (type) {
  case ElementType::kFloat: return put_number(data, at, single);
  case ElementType::kDouble: return put_number(data, at, number);
  case ElementType::kFloat16: return put_number(data, at, half_of(single));
  case ElementType::kBfloat16:
    return put_number(data, at, static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(single) >> 16U));
  default: std::memcpy(&data[at], &whole, element_size(type));
  }
}

bool is_real(ElementType type) {
  return type == ElementType::kFloat || type == ElementType::kDouble || type == ElementType::kFloat16 ||
         type == ElementType::kBfloat16;
}

/// Elements of one value, or drawn.
void fill_elements(ElementType type, std::optional<double> value, std::mt19937_64& bits, Bytes& data) {
  constexpr double kScale = 1.0 / (std::uint64_t{1} << 52U);
  for (std::size_t at = 0; at + element_size(type) <= data.size(); at += element_size(type)) {
    const auto raw = bits();
    const auto drawn = is_real(type) ? static_cast<double>(raw >> 11U) * kScale - 1.0 : static_cast<double>(raw & 1U);
    put_element(type, value.value_or(drawn), data, at);
  }
}

Result<std::vector<std::int64_t>> shape_of(const TensorInfo& input, const InputSources& sources) {
  if (const auto given = sources.shapes.find(input.name); given != sources.shapes.end()) return given->second;
  auto shape = input.shape;
  if (!shape.empty() && shape.front() < 0) shape.front() = 1;
  if (std::ranges::find_if(shape, [](auto dimension) { return dimension < 0; }) == shape.end()) return shape;
  return make_error(
      Code::kInvalidArgument,
      "the input '{}' has the shape {}: say how large it is at most, as --shape {}=…, with numbers joined by x",
      input.name, shape_text(input.shape), input.name);
}

Result<TensorView> draw_input(const TensorInfo& input, const InputSources& sources, std::mt19937_64& bits,
                              Bytes& data) {
  TCFDL_ASSIGN(auto shape, shape_of(input, sources));
  TCFDL_ASSIGN(const auto bytes, tensor_bytes(input.type, shape));
  data.resize(bytes);
  const auto value = sources.values.find(input.name);
  fill_elements(input.type, value == sources.values.end() ? std::nullopt : std::optional(value->second), bits, data);
  return TensorView{.name = input.name, .type = input.type, .shape = std::move(shape), .data = data};
}

Result<TensorView> read_input(const TensorInfo& input, const std::filesystem::path& file, Bytes& data) {
  TCFDL_ASSIGN(data, read_regular_file(file, kLargestArray));
  auto view = parse_npy(data);
  if (!view) return view.error().within(file.string());
  view->name = input.name;
  return view;
}

Status check_sources(const std::vector<TensorInfo>& inputs, const InputSources& sources) {
  const auto check = [&](const std::string& name) -> Status {
    if (std::ranges::find(inputs, name, &TensorInfo::name) != inputs.end()) return {};
    std::string names;
    for (const auto& input : inputs) names += (names.empty() ? "" : ", ") + input.name;
    return make_error(Code::kInvalidArgument, "the model has no input '{}'; it has: {}", name, names);
  };
  for (const auto& [name, shape] : sources.shapes) TCFDL_TRY(check(name));
  for (const auto& [name, file] : sources.files) TCFDL_TRY(check(name));
  for (const auto& [name, value] : sources.values) TCFDL_TRY(check(name));
  return {};
}

} // namespace

Result<InputTensors> make_inputs(const std::vector<TensorInfo>& inputs, const InputSources& sources) {
  TCFDL_TRY(check_sources(inputs, sources));
  InputTensors made;
  made.owned.resize(inputs.size());
  std::mt19937_64 bits(sources.seed);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& input = inputs[i];
    if (!input.tensor) {
      return make_error(Code::kUnimplemented,
                        "the input '{}' is no tensor: sequences, maps and optional values do not travel", input.name);
    }
    const auto file = sources.files.find(input.name);
    auto view = file == sources.files.end() ? draw_input(input, sources, bits, made.owned[i])
                                            : read_input(input, file->second, made.owned[i]);
    if (!view) return view.error();
    made.views.push_back(*std::move(view));
  }
  TCFDL_TRY(select_inputs(inputs, made.views));
  return made;
}

Result<Bytes> write_npy(const TensorView& tensor) {
  const auto* const type = std::ranges::find(kNpyTypes, tensor.type, &NpyType::type);
  if (type == kNpyTypes.end()) {
    return make_error(Code::kInvalidArgument, "NumPy has no type for the tensor '{}' of {}", tensor.name,
                      element_name(tensor.type));
  }
  std::string shape;
  for (const auto dimension : tensor.shape) shape += fmt::format("{}, ", dimension);
  auto header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type->text, shape);
  constexpr std::size_t kBefore = 10;
  constexpr std::size_t kBoundary = 64;
  header.append(kBoundary - (kBefore + header.size() + 1) % kBoundary, ' ');
  header += '\n';
  std::string head(kNpyMagic);
  for (const auto each : {std::size_t{1}, std::size_t{0}, header.size() & 0xFFU, header.size() >> 8U})
    head += static_cast<char>(each);
  auto file = to_bytes(head + header);
  file.insert(file.end(), tensor.data.begin(), tensor.data.end());
  return file;
}

Result<TensorView> parse_npy(BytesView file) {
  TCFDL_ASSIGN(const auto header, npy_header(file));
  const auto type = npy_value(header.first, "descr");
  const auto* const known = std::ranges::find_if(
      kNpyTypes, [&](const NpyType& each) { return type.starts_with(fmt::format("'{}'", each.text)); });
  if (known == kNpyTypes.end()) return no_array("its elements are of no type that models take, little-endian");
  if (!npy_value(header.first, "fortran_order").starts_with("False")) return no_array("it is not in C order");
  auto shape = npy_shape(npy_value(header.first, "shape"));
  if (!shape) return no_array("it has no shape");
  TCFDL_ASSIGN(const auto bytes, tensor_bytes(known->type, *shape));
  const auto data = file.subspan(header.second);
  if (data.size() != bytes)
    return no_array(fmt::format("it has {} bytes of elements, its shape needs {}", data.size(), bytes));
  return TensorView{.name = {}, .type = known->type, .shape = *std::move(shape), .data = data};
}

} // namespace tcfdl::inference
