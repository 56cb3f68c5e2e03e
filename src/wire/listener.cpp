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
  TCFDL_ASSIGN(auto fd, listen_on(address, settings.exposure));
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
      serve_(std::move(serve)), sessions_(settings_.max_connections) {}

void Listener::stop() noexcept {
  if (stopping_.exchange(true)) return;
  ::eventfd_write(wake_.get(), 1);
  acceptor_.join();
  sessions_.stop();
  fd_.reset();
  if (const auto* local = std::get_if<UnixAddress>(&address_)) ::unlink(local->path.c_str());
}

void Listener::accept_loop() {
  for (;;) {
    std::array<pollfd, 2> entries{{{fd_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
    if (entries[1].revents != 0) return;
    if (entries[0].revents != 0) accept_one();
  }
}

void Listener::accept_one() {
  UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (fd.valid()) {
    const auto begun = sessions_.begin(settings_.protect ? settings_.protect(std::move(fd))
                                                         : std::make_unique<SocketConnection>(std::move(fd)),
                                       serve_);
    if (!begun) spdlog::warn("{}: refused a connection: {}", settings_.name, begun.error().message());
  } else if (errno == EMFILE || errno == ENFILE) {
    spdlog::warn("{}: too many open files to accept a connection", settings_.name);
    pollfd wake{wake_.get(), POLLIN, 0};
    ::poll(&wake, 1, 100);
  }
}

} // namespace tcfdl::wire
