// One connection of the server. Internal: included by source files only.
#pragma once

#include "base/rate_limiter.hpp"
#include "base/worker_pool.hpp"
#include "crypto/server_tls.hpp"
#include "http/admission.hpp"
#include "http/parser.hpp"

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>

#pragma GCC diagnostic ignored "-Wmismatched-new-delete" // false for coroutine frames that Asio allocates and frees

namespace tcfdl::http {

namespace asio = boost::asio;

class Connection;

/// What the connections of a server share. `io` is run by one thread, which alone touches `connections` and `stopping`.
struct ServerContext {
  const ServerSettings& settings; // constant
  const Router& router;           // constant
  asio::io_context& io;
  WorkerPool& pool;
  RateLimiter rates; // by caller
  std::set<Connection*> connections;
  bool stopping = false;
  std::function<void()> on_idle;       // called when the last connection ends
  std::atomic<bool> abandoned = false; // handlers that did not start yet shall not
};

/// Serves one peer, request after request. Lives as long as its coroutine or a job of the pool needs it. All members
/// belong to the I/O thread.
class Connection : public std::enable_shared_from_this<Connection> {
public:
  Connection(ServerContext& context, asio::ip::tcp::socket socket);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs until the peer or the server ends the connection.
  asio::awaitable<void> run();
  /// Closes the connection unless a request is being served, after which it closes.
  void retire();
  /// Cancels the request and closes the socket.
  void abort();

private:
  using Duration = std::chrono::steady_clock::duration;
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Fault : std::uint8_t { kNone, kTimeout, kGone };
  class Body;

  // Input and output, each with a time limit; they leave their outcome in fault_.
  void arm(Duration within);
  void disarm();
  asio::awaitable<void> read_socket(Bytes& into, Duration within);
  asio::awaitable<bool> write_socket(BytesView bytes, std::uint64_t moved);
  asio::awaitable<void> receive(Duration within);
  asio::awaitable<bool> send(BytesView bytes);
  asio::awaitable<void> drain();
  [[nodiscard]] Duration patience(std::uint64_t moved) const;

  // TLS.
  asio::awaitable<bool> shake_hands();
  [[nodiscard]] bool unseal(BytesView sealed);
  void say_end();

  // Requests.
  asio::awaitable<bool> read_head();
  asio::awaitable<void> refuse_head(int status, std::string why);
  [[nodiscard]] Admission admit_head();
  asio::awaitable<void> serve();
  asio::awaitable<Status> read_body();
  asio::awaitable<Status> more_body();
  asio::awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into);

  // Handlers.
  asio::awaitable<bool> on_pool(WorkerPool::Job work, bool admitted);
  asio::awaitable<Response> handle(const Route* route, Request request);
  void watch();
  asio::awaitable<void> end_watch();

  // Answers.
  [[nodiscard]] std::string head_of(const Response& response) const;
  asio::awaitable<void> respond(Response response);
  asio::awaitable<void> send_stream(Producer producer);

  ServerContext& context_;
  asio::ip::tcp::socket socket_;
  std::unique_ptr<crypto::TlsSession> tls_;
  Bytes certificate_; // of the peer, DER; set by shake_hands
  asio::steady_timer timer_;
  asio::steady_timer wake_;
  std::string remote_;
  std::unique_ptr<Parser<true>> parser_; // of the present request; set by read_head
  std::optional<std::stop_source> stop_;
  Bytes pending_;     // received, not parsed
  Bytes watched_;     // where the watch reads to
  Duration waited_{}; // for this request's body or answer
  std::uint64_t armed_ = 0;
  std::size_t served_ = 0;
  Fault fault_ = Fault::kNone;
  bool timed_out_ = false;
  bool idle_ = true;
  bool closing_ = false;
  bool owes_continue_ = false;
  bool watching_ = false;
  bool stop_watch_ = false;
  bool working_ = false;
};

} // namespace tcfdl::http
