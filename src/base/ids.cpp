#include "base/ids.hpp"

#include "base/clock.hpp"
#include "base/encoding.hpp"

#include <algorithm>
#include <sys/random.h>

namespace tcfdl {
namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_name_part(std::string_view part) {
  if (part.empty() || !is_alphanumeric(part.front())) return false;
  return std::ranges::all_of(part, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

void fill_random(std::span<std::uint8_t> out) {
  // getrandom never fails for at most 256 bytes once the kernel's pool is ready, and blocks until then.
  while (::getrandom(out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) {
  }
}

} // namespace

Result<FunctionName> parse_function_name(std::string_view text) {
  if (text.empty() || text.size() > 128) {
    return make_error(Code::kInvalidArgument, "a function's name has 1 to 128 characters, this one {}", text.size());
  }
  for (std::size_t start = 0; start <= text.size();) {
    const auto end = std::min(text.find('/', start), text.size());
    if (!is_name_part(text.substr(start, end - start))) {
      return make_error(Code::kInvalidArgument,
                        "function name '{}': each part between '/' is [a-z0-9] followed by [a-z0-9._-]", text);
    }
    start = end + 1;
  }
  return FunctionName(std::string(text));
}

Status check_label(std::string_view text, std::string_view what) {
  const bool good = !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) &&
                    is_alphanumeric(text.back()) &&
                    std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
  if (good) return {};
  return make_error(Code::kInvalidArgument, "{} '{}': 1 to 63 of [a-z0-9-], first and last of [a-z0-9]", what, text);
}

InstanceId make_instance_id(const FunctionName& function) {
  auto name = function.str();
  std::ranges::replace(name, '/', '-');
  std::array<std::uint8_t, 4> bytes{};
  fill_random(bytes);
  return InstanceId(name + '-' + to_hex(bytes));
}

std::string make_uuid() {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  const auto millis = static_cast<std::uint64_t>(unix_millis());
  for (unsigned i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(millis >> (40U - 8U * i));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | 0x70U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
  auto text = to_hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

} // namespace tcfdl
