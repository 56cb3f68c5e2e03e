#include "instance_manager/names.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/random.h>

namespace tcfdl::instance_manager {
namespace {

template <std::size_t Size> std::array<std::uint8_t, Size> random_bytes() {
  static_assert(Size <= 256, "getrandom gives up to 256 bytes at once");
  std::array<std::uint8_t, Size> bytes{};
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(Size)) {
  }
  return bytes;
}

bool is_first(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

} // namespace

Status check_instance_id(const std::string& text) {
  const auto fits = [](char c) { return is_first(c) || c == '.' || c == '_' || c == '-'; };
  if (!text.empty() && text.size() <= 160 && is_first(text.front()) && std::ranges::all_of(text, fits)) return {};
  return Error(Code::kInvalidArgument, "an instance's name has 1 to 160 characters of a-z, 0-9, '.', '_' and '-'");
}

std::string make_token() { return to_hex(random_bytes<32>()); }

double random_unit() {
  std::uint32_t number = 0;
  const auto bytes = random_bytes<sizeof number>();
  std::memcpy(&number, bytes.data(), sizeof number);
  return static_cast<double>(number) / 4294967296.0;
}

} // namespace tcfdl::instance_manager
