// Addresses of connections: `unix:PATH`, `tcp:HOST:PORT` and, in TLS, `tls:HOST:PORT`.
#pragma once

#include "base/result.hpp"

#include <string>
#include <variant>

namespace tcfdl::wire {

struct UnixAddress {
  std::string path;
};

struct TcpAddress {
  std::string host; ///< an IPv4 address
  std::uint16_t port = 0;
  bool tls = false; ///< what passes there is in TLS
};

using Address = std::variant<UnixAddress, TcpAddress>;

/// INVALID_ARGUMENT for any other form, a path longer than the system allows, or a port outside 0 to 65535.
Result<Address> parse_address(std::string_view text);

std::string to_string(const Address& address);

/// Ports that may be used, both ends included.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// `FIRST-LAST`. INVALID_ARGUMENT for any other form, a port of 0, and an end before the beginning.
Result<PortRange> parse_ports(std::string_view text);

/// Whether the host is on the loopback range 127.0.0.0/8.
bool is_loopback(const TcpAddress& address);

} // namespace tcfdl::wire
