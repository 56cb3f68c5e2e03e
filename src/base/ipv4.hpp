// Numeric IPv4 addresses.
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <optional>
#include <string>

namespace tcfdl {

/// Four numbers with dots between, as one number, the first highest; nullopt for any other text.
inline std::optional<std::uint32_t> parse_ipv4(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

/// Whether text is an address of 127.0.0.0/8.
inline bool is_ipv4_loopback(const std::string& text) { return parse_ipv4(text).value_or(0) >> 24U == 127U; }

} // namespace tcfdl
