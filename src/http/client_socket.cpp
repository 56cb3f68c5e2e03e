#include "http/client_socket.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>

namespace tcfdl::http {
namespace {

constexpr std::size_t kReadSize = std::size_t{64} << 10U;
constexpr std::size_t kSealedPiece = std::size_t{64} << 10U;

std::string reason(int number) { return std::generic_category().message(number); }

bool again(int number) { return number == EAGAIN || number == EINTR; }

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address make_sockaddr(const std::string& literal, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (::inet_pton(AF_INET, literal.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof(sockaddr_in);
    return address;
  }
  address = {};
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  address.size = sizeof(sockaddr_in6);
  (void)::inet_pton(AF_INET6, literal.c_str(), &v6->sin6_addr);
  return address;
}

} // namespace

Result<ClientSocket> ClientSocket::connect(const std::string& literal, std::uint16_t port, Deadline deadline) {
  const auto address = make_sockaddr(literal, port);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Error(Code::kResourceExhausted, reason(errno));
  const int on = 1;
  (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ClientSocket socket(std::move(fd));
  if (::connect(socket.fd_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0)
    return socket;
  if (errno != EINPROGRESS) return Error(Code::kUnavailable, reason(errno));
  if (socket.wait(POLLOUT, deadline) == 0) return Deadline::exceeded("connecting");
  int failure = 0;
  socklen_t size = sizeof failure;
  (void)::getsockopt(socket.fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return Error(Code::kUnavailable, reason(failure));
  return socket;
}

Status ClientSocket::secure(const crypto::TlsContext& context, const std::string& server_name, Deadline deadline) {
  tls_ = std::make_unique<crypto::TlsSession>(crypto::TlsSession::connect(context, server_name));
  auto done = shake_hands(deadline);
  if (done) return done;
  if (done.error().code() != Code::kUnauthenticated) return done;
  return make_error(Code::kUnauthenticated, "the server does not prove that it is {}: {}", server_name,
                    done.error().message());
}

Status ClientSocket::shake_hands(Deadline deadline) {
  for (;;) {
    const auto done = tls_->handshake();
    TCFDL_TRY(flush(deadline, false)); // after an error: tells the server why
    if (!done) {
      const auto code = done.error().code() == Code::kUnauthenticated ? Code::kUnauthenticated : Code::kUnavailable;
      return make_error(code, "{}", done.error().message());
    }
    if (*done) return {};
    Bytes sealed;
    TCFDL_ASSIGN(const auto got, receive_raw(sealed, deadline));
    if (got == 0) return Error(Code::kUnavailable, "the server ended the connection instead of TLS 1.3");
    tls_->feed(sealed);
  }
}

Result<bool> ClientSocket::flush(Deadline deadline, bool stop_early) {
  const auto output = tls_->take_output();
  for (BytesView rest = output; !rest.empty();) {
    const int ready = wait(stop_early ? POLLIN | POLLOUT : POLLOUT, deadline);
    if (ready == 0) return Deadline::exceeded("sending the request");
    if (stop_early && (ready & POLLIN) != 0) return false;
    const auto sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) rest = rest.subspan(static_cast<std::size_t>(sent));
    if (sent < 0 && !again(errno)) return Error(Code::kUnavailable, reason(errno));
  }
  return true;
}

Result<std::size_t> ClientSocket::send_some(BytesView bytes, Deadline deadline) {
  if (tls_) {
    const int ready = wait(POLLIN | POLLOUT, deadline);
    if (ready == 0) return Deadline::exceeded("sending the request");
    if ((ready & POLLIN) != 0) return std::size_t{0};
    const auto piece = bytes.first(std::min(bytes.size(), kSealedPiece));
    TCFDL_TRY(tls_->write(piece));
    TCFDL_ASSIGN(const bool whole, flush(deadline, true));
    return whole ? piece.size() : 0;
  }
  for (;;) {
    const int ready = wait(POLLIN | POLLOUT, deadline);
    if (ready == 0) return Deadline::exceeded("sending the request");
    if ((ready & POLLIN) != 0) return std::size_t{0};
    const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) return static_cast<std::size_t>(sent);
    if (sent < 0 && !again(errno)) return Error(Code::kUnavailable, reason(errno));
  }
}

Result<std::size_t> ClientSocket::receive(Bytes& into, Deadline deadline) {
  if (!tls_) return receive_raw(into, deadline);
  const auto old = into.size();
  for (;;) {
    for (bool more = true; more;) { // leaves nothing in the session, where nobody would look for it
      const auto at = into.size();
      into.resize(at + kReadSize);
      const auto got = tls_->read(std::span(into).subspan(at));
      into.resize(at + got.value_or(0));
      if (!got) return Error(Code::kUnavailable, got.error().message());
      more = *got > 0;
    }
    if (into.size() > old || tls_->ended()) return into.size() - old;
    Bytes sealed;
    TCFDL_ASSIGN(const auto got, receive_raw(sealed, deadline));
    if (got == 0) return Error(Code::kUnavailable, "the connection was cut off");
    tls_->feed(sealed);
  }
}

Result<std::size_t> ClientSocket::receive_raw(Bytes& into, Deadline deadline) {
  const auto old = into.size();
  into.resize(old + kReadSize);
  for (;;) {
    const bool ready = wait(POLLIN, deadline) != 0;
    const auto got = ready ? ::recv(fd_.get(), into.data() + old, kReadSize, 0) : -1;
    if (ready && got < 0 && again(errno)) continue;
    const int failure = errno;
    into.resize(old + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (!ready) return Deadline::exceeded("waiting for the answer");
    if (got < 0) return Error(Code::kUnavailable, reason(failure));
    return static_cast<std::size_t>(got);
  }
}

bool ClientSocket::readable_by(Deadline deadline) const { return wait(POLLIN, deadline) != 0; }

bool ClientSocket::is_idle() const {
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && again(errno);
}

int ClientSocket::wait(int events, Deadline deadline) const {
  for (;;) {
    pollfd entry{.fd = fd_.get(), .events = static_cast<short>(events), .revents = 0};
    const auto millis = std::min<std::int64_t>(deadline.left_millis(), 1 << 30);
    const int count = ::poll(&entry, 1, static_cast<int>(millis));
    if (count > 0) return entry.revents;
    if (count == 0 && deadline.expired()) return 0;
  }
}

} // namespace tcfdl::http
