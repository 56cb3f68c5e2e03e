// Octets of test vectors.
#pragma once

#include "base/encoding.hpp"

#include <algorithm>

namespace tcfdl::crypto {

/// The octets of hexadecimal text, which may hold spaces.
inline Bytes hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits += c;
  }
  return from_hex(digits).value();
}

/// Each of `count` octets is `value`.
inline Bytes repeated(std::size_t count, std::uint8_t value) {
  Bytes bytes(count);
  std::ranges::fill(bytes, value);
  return bytes;
}

} // namespace tcfdl::crypto
