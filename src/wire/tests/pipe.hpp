// Two connected connections within one process.
#pragma once

#include "wire/socket.hpp"

#include <sys/socket.h>

namespace tcfdl::wire {

struct Pipe {
  Pipe() {
    int fds[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    left = std::make_unique<SocketConnection>(UniqueFd(fds[0]));
    right = std::make_unique<SocketConnection>(UniqueFd(fds[1]));
  }
  std::unique_ptr<SocketConnection> left;
  std::unique_ptr<SocketConnection> right;
};

} // namespace tcfdl::wire
