// Accepts connections and gives each a thread.
#pragma once

#include "wire/sessions.hpp"
#include "wire/socket.hpp"

#include <atomic>

namespace tcfdl::wire {

struct ListenerSettings {
  std::string name; ///< in logs
  std::size_t max_connections = 1024;
  Exposure exposure = Exposure::kLoopback;
  /// Makes protected connections of accepted sockets; empty: plain ones.
  std::function<std::unique_ptr<Connection>(UniqueFd)> protect = {};
};

/// Owns its threads. `stop` (and the destructor) refuses new connections, shuts the live ones down and joins.
class Listener {
public:
  using Serve = Sessions::Serve;

  /// Starts to listen. Errors of `listen_on`.
  static Result<std::unique_ptr<Listener>> start(const Address& address, ListenerSettings settings, Serve serve);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { stop(); }

  [[nodiscard]] const Address& address() const noexcept { return address_; }
  void stop() noexcept;

private:
  Listener(UniqueFd fd, UniqueFd wake, Address address, ListenerSettings settings, Serve serve);
  void accept_loop();
  void accept_one();

  // Constant after construction.
  UniqueFd fd_;
  UniqueFd wake_;
  Address address_;
  const ListenerSettings settings_;
  Serve serve_;

  std::atomic<bool> stopping_ = false;
  Sessions sessions_;
  std::thread acceptor_;
};

} // namespace tcfdl::wire
