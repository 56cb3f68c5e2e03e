#include "http/server.hpp"

#include "base/log.hpp"
#include "http/connection.hpp"
#include "http/url.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <mutex>
#include <thread>

namespace tcfdl::http {
namespace {

using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kAcceptPause{100}; // when descriptors or memory are short

constexpr std::string_view kFull = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
                                   "Connection: close\r\n\r\n";

} // namespace

class Server::Impl {
public:
  explicit Impl(Settings given)
      : settings(std::move(given)), pool_(settings.threads, settings.max_queued, WorkerPool::AtStop::kRun),
        acceptor_(io_), pause_(io_), context_{.settings = settings,
                                              .router = router,
                                              .io = io_,
                                              .pool = pool_,
                                              .rates = RateLimiter(settings.requests_per_second),
                                              .connections = {},
                                              .on_idle = {}} {}

  Status start();
  void stop();

  const Settings settings;
  Router router;
  std::optional<Error> wrong_route;
  std::atomic<std::uint16_t> port = 0;

private:
  enum class State : std::uint8_t { kNew, kRunning, kStopped };

  Status listen();
  asio::awaitable<void> accept();
  void admit(tcp::socket socket);
  static asio::awaitable<void> run(ServerContext& context, std::shared_ptr<Connection> connection);
  /// Stops accepting and closes what is idle; the future is set when no connection is left.
  std::future<void> retire();
  void abort();

  asio::io_context io_{1};
  WorkerPool pool_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  ServerContext context_;
  std::thread thread_;
  std::mutex mutex_;          // held during start and stop
  State state_ = State::kNew; // guarded by mutex_
};

Status Server::Impl::listen() {
  TCFDL_ASSIGN(const auto literal, listening_address(settings.address, settings.tls != nullptr));
  ErrorCode ec;
  const tcp::endpoint endpoint(asio::ip::make_address(literal, ec), settings.port);
  if (!ec) (void)acceptor_.open(endpoint.protocol(), ec);
  if (!ec) (void)acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) (void)acceptor_.bind(endpoint, ec);
  if (!ec) (void)acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  const auto local = ec ? endpoint : acceptor_.local_endpoint(ec);
  if (!ec) {
    port = local.port();
    return {};
  }
  ErrorCode ignored;
  (void)acceptor_.close(ignored);
  return make_error(Code::kUnavailable, "cannot listen on {}: {}; stop what uses the port or configure another",
                    host_and_port(literal, settings.port), ec.message());
}

Status Server::Impl::start() {
  const std::scoped_lock lock(mutex_);
  if (state_ == State::kRunning) return {};
  if (state_ == State::kStopped) return Error(Code::kFailedPrecondition, "the HTTP server was stopped");
  if (wrong_route) return *wrong_route;
  TCFDL_TRY(listen());
  asio::co_spawn(io_, accept(), asio::detached);
  thread_ = std::thread([this] { io_.run(); });
  state_ = State::kRunning;
  return {};
}

asio::awaitable<void> Server::Impl::accept() {
  while (!context_.stopping) {
    ErrorCode ec;
    tcp::socket socket(io_);
    co_await acceptor_.async_accept(socket, redirect_error(use_awaitable, ec));
    if (context_.stopping) break;
    if (!ec) {
      admit(std::move(socket));
    } else if (ec != asio::error::connection_aborted) {
      spdlog::warn("http: cannot accept a connection: {}", ec.message());
      (void)pause_.expires_after(kAcceptPause);
      co_await pause_.async_wait(redirect_error(use_awaitable, ec));
    }
  }
}

void Server::Impl::admit(tcp::socket socket) {
  ErrorCode ec;
  (void)socket.non_blocking(true, ec);
  (void)socket.set_option(tcp::no_delay(true), ec);
  if (context_.connections.size() >= settings.max_connections) {
    (void)socket.write_some(asio::buffer(kFull), ec);
    return;
  }
  auto connection = std::make_shared<Connection>(context_, std::move(socket));
  context_.connections.insert(connection.get());
  asio::co_spawn(io_, run(context_, std::move(connection)), asio::detached);
}

asio::awaitable<void> Server::Impl::run(ServerContext& context, std::shared_ptr<Connection> connection) {
  try {
    co_await connection->run();
  } catch (const std::exception& failure) { // memory is short
    spdlog::error("http: a connection failed: {}", failure.what());
    connection->abort();
  }
  context.connections.erase(connection.get());
  if (!context.connections.empty()) co_return;
  if (const auto on_idle = std::exchange(context.on_idle, nullptr)) on_idle();
}

std::future<void> Server::Impl::retire() {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  asio::post(io_, [this, done] {
    context_.stopping = true;
    ErrorCode ec;
    (void)acceptor_.close(ec);
    (void)pause_.cancel();
    for (auto* connection : context_.connections) connection->retire();
    if (context_.connections.empty()) {
      done->set_value();
    } else {
      context_.on_idle = [done] { done->set_value(); };
    }
  });
  return future;
}

void Server::Impl::abort() {
  context_.abandoned = true;
  asio::post(io_, [this] {
    for (auto* connection : context_.connections) connection->abort();
  });
}

void Server::Impl::stop() {
  const std::scoped_lock lock(mutex_);
  const bool running = state_ == State::kRunning;
  state_ = State::kStopped;
  if (running) {
    const auto idle = retire();
    if (idle.wait_for(settings.stop_timeout) != std::future_status::ready) {
      spdlog::warn("http: requests still run after {} ms; they are cancelled", settings.stop_timeout.count());
      abort();
      idle.wait();
    }
    thread_.join();
  }
  pool_.stop();
}

Server::Server(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}

Server::~Server() { stop(); }

void Server::add(const std::string& method, const std::string& pattern, Handler handler, RouteOptions options) {
  auto status =
      impl_->router.add(method, pattern, {.handler = std::move(handler), .stream_handler = {}, .options = options});
  if (!status && !impl_->wrong_route) impl_->wrong_route = status.error();
}

void Server::add_streaming(const std::string& method, const std::string& pattern, StreamHandler handler,
                           RouteOptions options) {
  auto status =
      impl_->router.add(method, pattern, {.handler = {}, .stream_handler = std::move(handler), .options = options});
  if (!status && !impl_->wrong_route) impl_->wrong_route = status.error();
}

Status Server::start() { return impl_->start(); }

void Server::stop() { impl_->stop(); }

std::uint16_t Server::port() const noexcept { return impl_->port; }

} // namespace tcfdl::http
