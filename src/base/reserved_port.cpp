#include "base/reserved_port.hpp"

#include "base/file.hpp"

#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <random>
#include <sys/socket.h>
#include <sys/un.h>

namespace tcfdl {
namespace {

// Below those that Linux takes for outgoing connections (from 32768 on, unless net.ipv4.ip_local_port_range says
// otherwise), which could have a port before its daemon listens, or while that is away.
constexpr unsigned kFirst = 20'000;
constexpr unsigned kCount = 12'000;
constexpr int kTries = 200;

bool is_free(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return fd.valid() && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

} // namespace

Result<ReservedPort> ReservedPort::take(std::uint16_t number) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error("cannot make a socket to reserve", "a port");
  const auto name = fmt::format("tcfdl-port-{}", number);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(&address.sun_path[1], name.data(), name.size()); // the first byte 0: no file
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return make_error(Code::kAlreadyExists, "port {} is reserved by another process", number);
  }
  return ReservedPort(number, std::move(fd));
}

Result<ReservedPort> ReservedPort::pick() {
  std::random_device random;
  for (int tries = 0; tries < kTries; ++tries) {
    auto port = take(static_cast<std::uint16_t>(kFirst + random() % kCount));
    if (port && is_free(port->number())) return port;
  }
  return make_error(Code::kResourceExhausted, "no free port on 127.0.0.1 from {} to {}", kFirst, kFirst + kCount - 1);
}

} // namespace tcfdl
