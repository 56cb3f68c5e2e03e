// What a process sent and received over its TCP connections, as the kernel counts it.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <sys/types.h>

namespace tcfdl::cli {

/// Both directions, of the connections that are open.
struct TcpTraffic {
  std::uint64_t payload = 0;  ///< bytes in TCP
  std::uint64_t segments = 0; ///< acknowledgements included
  unsigned connections = 0;

  /// Bytes with the headers of IPv4 and of TCP with its time stamps, as Linux sends them.
  [[nodiscard]] std::uint64_t ip_bytes() const noexcept;
};

/// Of a process's connections over IPv4 to a port. PERMISSION_DENIED for a process of another user; INTERNAL where the
/// kernel does not tell.
Result<TcpTraffic> tcp_traffic(pid_t pid, std::uint16_t remote_port);

} // namespace tcfdl::cli
