// Live connections, each served on a thread of its own.
#pragma once

#include "wire/connection.hpp"

#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace tcfdl::wire {

/// Owns the connections and their threads; a thread that has ended is joined when the next connection begins. Any
/// thread may begin one. `stop` and the destructor shut the live ones down and join.
class Sessions {
public:
  /// Runs on the connection's own thread; the connection ends when it returns.
  using Serve = std::function<void(Connection&)>;

  explicit Sessions(std::size_t most) : most_(most) {}
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;
  ~Sessions() { stop(); }

  /// RESOURCE_EXHAUSTED when `most` are open, UNAVAILABLE after `stop`; the connection is gone then.
  Status begin(std::unique_ptr<Connection> connection, Serve serve);
  void stop() noexcept;

private:
  struct Session {
    explicit Session(std::unique_ptr<Connection> live) : connection(std::move(live)) {}
    std::unique_ptr<Connection> connection;
    std::thread thread;
    bool ended = false;
  };

  void join_ended();

  const std::size_t most_;
  std::mutex mutex_;
  std::list<Session> sessions_; // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
};

} // namespace tcfdl::wire
