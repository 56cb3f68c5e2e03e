// The HTTP server of a daemon: routes, bearer tokens, limits, handlers that may block.
#pragma once

#include "http/router.hpp"

#include <chrono>
#include <memory>

namespace tcfdl::crypto {
class ServerTls;
}

namespace tcfdl::http {

/// Whose token that is; nullopt for nobody's. Called on the I/O thread.
using Authenticate = std::function<std::optional<Caller>(std::string_view token)>;

/// Who showed that certificate in TLS: DER, of the root that `ServerTls` was given. Asked at each request that has no
/// Authorization field, on the I/O thread. The error is what the peer is told where a route is not public.
using Identify = std::function<Result<Caller>(BytesView certificate)>;

/// Knows one token, compared without telling by its time how much agrees. An empty one admits nobody.
Authenticate single_token(std::string token);

/// A request that was answered, for records.
struct Answered {
  std::string method;
  std::string path;
  std::string remote;
  std::optional<Caller> caller;
  int status = 0;

  /// Because of who asked, not of what was asked for.
  [[nodiscard]] bool was_refused() const noexcept { return status == 401 || status == 403; }
};

struct ServerSettings {
  std::string address = "127.0.0.1";        // numeric; loopback only without TLS
  std::uint16_t port = 0;                   // 0: a free one
  std::shared_ptr<crypto::ServerTls> tls{}; // none: plain HTTP
  /// Who presents what `Authorization: Bearer` says. Without it only public routes answer.
  Authenticate authenticate{};
  /// Who presents a certificate. Without it nobody is known by one.
  Identify identify{};
  /// Told of every request with a well-formed head before its answer is sent, on the I/O thread.
  std::function<void(const Answered&)> on_answered{};
  /// Given each problem document before it is sent, for protocols whose errors have another form. On the I/O thread.
  std::function<void(std::string_view path, Response& problem)> reshape_problem{};
  unsigned requests_per_second = 0;                 // of one caller; beyond it 429; 0: no limit
  std::uint64_t max_body = std::uint64_t{1} << 20U; // bytes, for routes that name no limit of their own
  std::uint32_t max_header = 16U << 10U;            // bytes of request line and fields
  std::chrono::milliseconds header_timeout{10'000}; // from a request's first byte (or the connection) to its last field
  std::chrono::milliseconds idle_timeout{60'000};   // between two requests of a connection
  /// Longest silence in a body or its answer; a peer slower than 1 KiB/s may in sum be waited for this long.
  std::chrono::milliseconds body_idle_timeout{10'000};
  std::chrono::milliseconds stop_timeout{5'000}; // for running handlers, before their requests are cancelled
  std::size_t max_connections = 256;
  std::size_t max_requests = 1000; // of one connection
  std::size_t threads = 8;         // that run handlers
  std::size_t max_queued = 64;     // requests that wait for a thread
};

/// Serves HTTP/1.1, in TLS 1.3 where it has a certificate, otherwise on a loopback address. Owned by the composition
/// root; routes are added before `start()`. One I/O thread reads and writes; handlers run on a bounded pool of threads
/// and may block; several run at a time. A handler's exception becomes a 500. Requests beyond the limits are refused
/// before their body is read: 401 without a token, 403 below a route's level, 413, 429 beyond a caller's rate, 431, 503
/// when no thread is left. Destructor = stop.
class Server {
public:
  using Settings = ServerSettings;

  explicit Server(Settings settings);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Adds a route (see Router::add). A wrong pattern or a duplicate is the error of `start()`.
  void add(const std::string& method, const std::string& pattern, Handler handler, RouteOptions options = {});
  /// Adds a route whose handler reads the body as it arrives; a thread is taken before the body is read.
  void add_streaming(const std::string& method, const std::string& pattern, StreamHandler handler,
                     RouteOptions options = {});

  /// Listens and serves. INVALID_ARGUMENT for an address that is not numeric, for
  /// one that is no loopback address without TLS, or wrong routes; UNAVAILABLE if
  /// the port is taken; FAILED_PRECONDITION after `stop()`. Idempotent while running.
  Status start();

  /// Refuses new connections and requests, waits `stop_timeout` for running handlers, then cancels their requests,
  /// closes the connections and waits for the handlers to return. Idempotent, thread-safe; not to be called by a
  /// handler.
  void stop();

  /// The port that is served; 0 before `start()`.
  [[nodiscard]] std::uint16_t port() const noexcept;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace tcfdl::http
