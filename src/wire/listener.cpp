#include "wire/listener.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace tcfdl::wire {

Result<std::unique_ptr<Listener>> Listener::start(const Address& address, ListenerSettings settings, Serve serve) {
  TCFDL_ASSIGN(auto fd, listen_on(address));
  TCFDL_ASSIGN(auto bound, bound_address(fd.get(), address));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return errno_error("cannot make an event for", to_string(bound));
  std::unique_ptr<Listener> listener(
      new Listener(std::move(fd), std::move(wake), std::move(bound), std::move(settings), std::move(serve)));
  listener->acceptor_ = std::thread([raw = listener.get()] { raw->accept_loop(); });
  return listener;
}

Listener::Listener(UniqueFd fd, UniqueFd wake, Address address, ListenerSettings settings, Serve serve)
    : fd_(std::move(fd)), wake_(std::move(wake)), address_(std::move(address)), settings_(std::move(settings)),
      serve_(std::move(serve)) {}

void Listener::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    for (auto& session : sessions_) session.connection.shutdown();
  }
  ::eventfd_write(wake_.get(), 1);
  acceptor_.join();
  for (auto& session : sessions_) session.thread.join();
  sessions_.clear();
  fd_.reset();
  if (const auto* local = std::get_if<UnixAddress>(&address_)) ::unlink(local->path.c_str());
}

void Listener::accept_loop() {
  for (;;) {
    std::array<pollfd, 2> entries{{{fd_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
    if (entries[1].revents != 0) return;
    if (entries[0].revents == 0) continue;
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    reap();
    if (fd.valid()) {
      begin(std::move(fd));
    } else if (errno == EMFILE || errno == ENFILE) {
      spdlog::warn("{}: too many open files to accept a connection", settings_.name);
      ::poll(&entries[1], 1, 100);
    }
  }
}

void Listener::begin(UniqueFd fd) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return;
  if (sessions_.size() >= settings_.max_connections) {
    spdlog::warn("{}: refused a connection, {} are open", settings_.name, sessions_.size());
    return;
  }
  auto& session = sessions_.emplace_back(std::move(fd));
  session.thread = std::thread([this, &session] {
    serve_(session.connection);
    session.connection.shutdown();
    const std::scoped_lock ending(mutex_);
    session.ended = true;
  });
}

void Listener::reap() {
  std::list<Session> ended;
  {
    const std::scoped_lock lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto next = std::next(at);
      if (at->ended) ended.splice(ended.end(), sessions_, at);
      at = next;
    }
  }
  for (auto& session : ended) session.thread.join();
}

} // namespace tcfdl::wire
