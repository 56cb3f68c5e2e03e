#include "wire/socket.hpp"

#include "base/file.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

namespace tcfdl::wire {
namespace {

Error gone(std::string_view why) { return make_error(Code::kUnavailable, "the connection ended: {}", why); }

/// Waits until `fd` is ready for `events`.
Status wait_for(int fd, short events, Deadline deadline, std::string_view during) {
  for (;;) {
    pollfd entry{fd, events, 0};
    const auto left = std::min<std::int64_t>(deadline.left_millis(), 1 << 30);
    const int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready == 0 && deadline.expired()) return Deadline::exceeded(during);
    if (ready < 0 && errno != EINTR) return gone(std::strerror(errno));
  }
}

struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SystemAddress system_address(const Address& address) {
  SystemAddress result;
  if (const auto* local = std::get_if<UnixAddress>(&address)) {
    auto* unix_address = reinterpret_cast<sockaddr_un*>(&result.storage);
    unix_address->sun_family = AF_UNIX;
    std::memcpy(unix_address->sun_path, local->path.c_str(), local->path.size() + 1);
    result.size = sizeof(sockaddr_un);
    return result;
  }
  const auto& tcp = std::get<TcpAddress>(address);
  auto* internet = reinterpret_cast<sockaddr_in*>(&result.storage);
  internet->sin_family = AF_INET;
  internet->sin_port = htons(tcp.port);
  ::inet_pton(AF_INET, tcp.host.c_str(), &internet->sin_addr);
  result.size = sizeof(sockaddr_in);
  return result;
}

UniqueFd make_socket(const Address& address, int flags) {
  const int family = std::holds_alternative<UnixAddress>(address) ? AF_UNIX : AF_INET;
  return UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

} // namespace

SocketConnection::SocketConnection(UniqueFd fd) : fd_(std::move(fd)) { prepare_socket(fd_.get()); }

void SocketConnection::shutdown() noexcept { ::shutdown(fd_.get(), SHUT_RDWR); }

Status SocketConnection::write(BytesView header, BytesView payload, Deadline deadline) {
  return send_all(fd_.get(), header, payload, deadline);
}

Result<std::size_t> SocketConnection::read_some(std::span<std::uint8_t> out, Deadline deadline) {
  return receive_some(fd_.get(), out, deadline);
}

void prepare_socket(int fd) noexcept {
  const auto set = [fd](int level, int option, int value) {
    return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
  };
  if (!set(IPPROTO_TCP, TCP_NODELAY, 1)) return;
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 3);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 9'000);
}

Status send_all(int fd, BytesView first, BytesView second, Deadline deadline) {
  std::array<iovec, 2> parts{{{const_cast<std::uint8_t*>(first.data()), first.size()},
                              {const_cast<std::uint8_t*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  for (std::size_t left = first.size() + second.size(); left > 0;) {
    auto sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
      TCFDL_TRY(wait_for(fd, POLLOUT, deadline, "sending"));
      continue;
    }
    if (sent < 0) return gone(std::strerror(errno));
    left -= static_cast<std::size_t>(sent);
    for (auto& part : parts) {
      const auto taken = std::min(part.iov_len, static_cast<std::size_t>(sent));
      part.iov_base = static_cast<std::uint8_t*>(part.iov_base) + taken;
      part.iov_len -= taken;
      sent -= static_cast<ssize_t>(taken);
    }
  }
  return {};
}

Result<std::size_t> receive_some(int fd, std::span<std::uint8_t> out, Deadline deadline) {
  for (;;) {
    const auto got = ::recv(fd, out.data(), out.size(), MSG_DONTWAIT);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return gone("the peer closed it");
    if (errno != EAGAIN && errno != EINTR) return gone(std::strerror(errno));
    TCFDL_TRY(wait_for(fd, POLLIN, deadline, "receiving"));
  }
}

Result<UniqueFd> connect_socket(const Address& address, Deadline deadline) {
  auto fd = make_socket(address, SOCK_NONBLOCK);
  if (!fd.valid()) return errno_error("cannot make a socket for", to_string(address));
  const auto target = system_address(address);
  const auto refused = [&](int number) {
    return make_error(Code::kUnavailable, "cannot connect to {}: {}", to_string(address), std::strerror(number));
  };
  if (::connect(fd.get(), target.get(), target.size) != 0) {
    if (errno != EINPROGRESS) return refused(errno);
    TCFDL_TRY(wait_for(fd.get(), POLLOUT, deadline, "connecting"));
    int failure = 0;
    socklen_t size = sizeof(failure);
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) return refused(failure);
  }
  return fd;
}

Result<std::unique_ptr<SocketConnection>> connect(const Address& address, Deadline deadline) {
  if (const auto* tcp = std::get_if<TcpAddress>(&address); tcp != nullptr && tcp->tls) {
    return make_error(Code::kInvalidArgument, "{} is spoken to in TLS", to_string(address));
  }
  TCFDL_ASSIGN(auto fd, connect_socket(address, deadline));
  return std::make_unique<SocketConnection>(std::move(fd));
}

Result<UniqueFd> listen_on(const Address& address, Exposure exposure) {
  const auto* tcp = std::get_if<TcpAddress>(&address);
  if (tcp != nullptr && exposure == Exposure::kLoopback && !is_loopback(*tcp)) {
    return make_error(Code::kFailedPrecondition, "refusing to listen on {} without TLS: use an address of 127.0.0.0/8",
                      to_string(address));
  }
  if (const auto* local = std::get_if<UnixAddress>(&address)) ::unlink(local->path.c_str());
  auto fd = make_socket(address, 0);
  if (!fd.valid()) return errno_error("cannot make a socket for", to_string(address));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto target = system_address(address);
  if (::bind(fd.get(), target.get(), target.size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    return errno_error("cannot listen on", to_string(address));
  }
  if (const auto* local = std::get_if<UnixAddress>(&address))
    ::chmod(local->path.c_str(), 0666); // its directory is private
  return fd;
}

Result<Address> bound_address(int fd, const Address& asked) {
  if (std::holds_alternative<UnixAddress>(asked)) return asked;
  sockaddr_in actual{};
  socklen_t size = sizeof(actual);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&actual), &size) != 0) {
    return errno_error("cannot find the port of", to_string(asked));
  }
  auto bound = std::get<TcpAddress>(asked);
  bound.port = ntohs(actual.sin_port);
  return Address(std::move(bound));
}

} // namespace tcfdl::wire
