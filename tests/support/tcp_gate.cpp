#include "support/tcp_gate.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <vector>

namespace tcfdl::test {
namespace {

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

/// The peer sees a reset rather than an end.
void reset(const UniqueFd& fd) {
  if (!fd.valid()) return;
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

bool is_readable(int fd, int millis) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, millis) > 0;
}

} // namespace

TcpGate::TcpGate(const std::string& host, std::uint16_t port, const std::string& server_host, std::uint16_t server_port)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), server_host_(server_host),
      server_port_(server_port) {
  auto here = address_of(host, port);
  socklen_t size = sizeof(here);
  const int on = 1;
  ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&here), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&here), &size) != 0) {
    throw std::runtime_error("no port for the gate");
  }
  port_ = ntohs(here.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

TcpGate::~TcpGate() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  acceptor_.join();
  remove_ended(true);
}

void TcpGate::to_server(const GateWay& way) {
  const std::scoped_lock lock(mutex_);
  to_server_ = way;
  changed_.notify_all();
}

void TcpGate::to_client(const GateWay& way) {
  const std::scoped_lock lock(mutex_);
  to_client_ = way;
  changed_.notify_all();
}

void TcpGate::both(const GateWay& way) {
  to_server(way);
  to_client(way);
}

void TcpGate::cut(bool closed) {
  const std::scoped_lock lock(mutex_);
  closed_ = closed;
  for (auto& passage : passages_) {
    for (const auto* end : {&passage.client, &passage.server}) {
      reset(*end);
      ::shutdown(end->get(), SHUT_RDWR);
    }
  }
}

void TcpGate::open() {
  const std::scoped_lock lock(mutex_);
  closed_ = false;
}

void TcpGate::accept_loop() {
  for (;;) {
    remove_ended(false);
    {
      const std::scoped_lock lock(mutex_);
      if (over_) return;
    }
    if (!is_readable(listener_.get(), 50)) continue;
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto there = address_of(server_host_, server_port_);
    const std::scoped_lock lock(mutex_);
    if (closed_ || ::connect(server.get(), reinterpret_cast<const sockaddr*>(&there), sizeof(there)) != 0) {
      reset(client);
      continue;
    }
    auto& passage = passages_.emplace_back();
    passage.client = std::move(client);
    passage.server = std::move(server);
    passage.there =
        std::thread([this, &passage] { pass(passage, passage.client.get(), passage.server.get(), to_server_); });
    passage.back =
        std::thread([this, &passage] { pass(passage, passage.server.get(), passage.client.get(), to_client_); });
  }
}

/// As the way is when nothing stalls it.
GateWay TcpGate::way_now(const GateWay& way) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return over_ || !way.stalled; });
  return way;
}

void TcpGate::pass(Passage& passage, int from, int to, const GateWay& way) {
  std::vector<std::uint8_t> piece(std::size_t{64} * 1024);
  for (;;) {
    const auto now = way_now(way);
    const auto got = ::recv(from, piece.data(), now.slice == 0 ? piece.size() : std::min(now.slice, piece.size()), 0);
    if (got <= 0) break;
    std::this_thread::sleep_for(now.delay);
    const auto then = way_now(way);
    if (then.corrupted) piece[static_cast<std::size_t>(got) / 2] ^= 1U;
    std::size_t sent = 0;
    while (sent < static_cast<std::size_t>(got)) {
      const auto part = ::send(to, piece.data() + sent, static_cast<std::size_t>(got) - sent, MSG_NOSIGNAL);
      if (part <= 0) break;
      sent += static_cast<std::size_t>(part);
    }
    if (sent < static_cast<std::size_t>(got)) break;
    passed_ += sent;
  }
  ::shutdown(to, SHUT_WR);
  ::shutdown(from, SHUT_RD);
  --passage.running;
}

void TcpGate::remove_ended(bool all) {
  std::list<Passage> ended;
  {
    const std::scoped_lock lock(mutex_);
    for (auto at = passages_.begin(); at != passages_.end();) {
      const auto next = std::next(at);
      if (all) {
        ::shutdown(at->client.get(), SHUT_RDWR);
        ::shutdown(at->server.get(), SHUT_RDWR);
      }
      if (all || at->running == 0) ended.splice(ended.end(), passages_, at);
      at = next;
    }
  }
  for (auto& passage : ended) {
    passage.there.join();
    passage.back.join();
  }
}

} // namespace tcfdl::test
