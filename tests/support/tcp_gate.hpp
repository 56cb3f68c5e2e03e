// A way between two real sockets that can be bad: slow, cut, silent, corrupting.
#pragma once

#include "base/fd.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace tcfdl::test {

/// What happens to bytes of one direction.
struct GateWay {
  std::chrono::milliseconds delay{0}; ///< of each piece
  std::size_t slice = 0;              ///< pieces of at most so many bytes; 0: as they come
  bool stalled = false;               ///< nothing passes, nothing is closed
  bool corrupted = false;             ///< one bit of each piece is another
};

/// Listens on a loopback address and passes each connection on to a server. Threads of its own.
class TcpGate {
public:
  /// `port`: 0 for any that is free.
  TcpGate(const std::string& host, std::uint16_t port, const std::string& server_host, std::uint16_t server_port);
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;
  ~TcpGate();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void to_server(const GateWay& way);
  void to_client(const GateWay& way);
  void both(const GateWay& way);
  /// Ends all connections by a reset. While `closed`, new ones are reset as well.
  void cut(bool closed = false);
  /// Accepts connections again after `cut(true)`.
  void open();
  /// Bytes that passed, in both directions.
  [[nodiscard]] std::uint64_t passed() const noexcept { return passed_; }

private:
  struct Passage {
    UniqueFd client;
    UniqueFd server;
    std::thread there;
    std::thread back;
    std::atomic<int> running = 2;
  };

  void accept_loop();
  void pass(Passage& passage, int from, int to, const GateWay& way);
  [[nodiscard]] GateWay way_now(const GateWay& way);
  void remove_ended(bool all);

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  const std::string server_host_;
  const std::uint16_t server_port_;
  std::mutex mutex_;
  std::condition_variable changed_;
  GateWay to_server_; // guarded by mutex_, as are those below
  GateWay to_client_;
  bool closed_ = false;
  bool over_ = false;
  std::list<Passage> passages_;
  std::atomic<std::uint64_t> passed_ = 0;
  std::thread acceptor_;
};

} // namespace tcfdl::test
