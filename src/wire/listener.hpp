// Accepts connections and gives each a thread.
#pragma once

#include "wire/socket.hpp"

#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace tcfdl::wire {

struct ListenerSettings {
  std::string name; ///< in logs
  std::size_t max_connections = 1024;
};

/// Owns its threads. `stop` (and the destructor) refuses new connections, shuts the live ones down and joins.
class Listener {
public:
  /// Runs on the connection's own thread; the connection ends when it returns.
  using Serve = std::function<void(Connection&)>;

  /// Starts to listen. Errors of `listen_on`.
  static Result<std::unique_ptr<Listener>> start(const Address& address, ListenerSettings settings, Serve serve);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { stop(); }

  [[nodiscard]] const Address& address() const noexcept { return address_; }
  void stop() noexcept;

private:
  struct Session {
    explicit Session(UniqueFd fd) : connection(std::move(fd)) {}
    SocketConnection connection;
    std::thread thread;
    bool ended = false;
  };

  Listener(UniqueFd fd, UniqueFd wake, Address address, ListenerSettings settings, Serve serve);
  void accept_loop();
  void begin(UniqueFd fd);
  void reap();

  // Constant after construction.
  UniqueFd fd_;
  UniqueFd wake_;
  Address address_;
  ListenerSettings settings_;
  Serve serve_;

  std::mutex mutex_;
  std::list<Session> sessions_; // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
  std::thread acceptor_;
};

} // namespace tcfdl::wire
