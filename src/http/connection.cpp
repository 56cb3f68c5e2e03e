#include "http/connection.hpp"

#include "base/deadline.hpp"
#include "http/problem.hpp"
#include "http/url.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tcfdl::http {
namespace {

using asio::redirect_error;
using asio::use_awaitable;

constexpr std::size_t kRequestPiece = std::size_t{64} << 10U;
constexpr std::uint64_t kLeastRate = 1024; // bytes a second
constexpr std::uint64_t kMostDrained = std::uint64_t{4} << 20U;
constexpr std::chrono::seconds kLongestDrain{1};

bool is_no_line_end(std::uint8_t byte) { return byte != '\r' && byte != '\n'; }

std::string name_of(const asio::ip::tcp::socket& socket) {
  ErrorCode ec;
  const auto peer = socket.remote_endpoint(ec);
  return ec ? std::string("(gone)") : host_and_port(peer.address().to_string(), peer.port());
}

} // namespace

Connection::Connection(ServerContext& context, asio::ip::tcp::socket socket)
    : context_(context), socket_(std::move(socket)), timer_(context.io), wake_(context.io), remote_(name_of(socket_)) {}

asio::awaitable<void> Connection::run() {
  for (bool more = true; more;) {
    more = co_await read_head();
    if (!more) break;
    ++served_;
    co_await serve();
    more = !closing_;
  }
  ErrorCode ec;
  (void)socket_.close(ec);
}

void Connection::retire() {
  closing_ = true;
  ErrorCode ec;
  if (idle_) (void)socket_.close(ec);
}

void Connection::abort() {
  closing_ = true;
  if (stop_) stop_->request_stop();
  ErrorCode ec;
  (void)socket_.close(ec);
}

void Connection::arm(Duration within) {
  timed_out_ = false;
  (void)timer_.expires_after(std::max(within, Duration::zero()));
  timer_.async_wait([self = shared_from_this(), number = ++armed_](const ErrorCode& ec) {
    if (ec || number != self->armed_) return;
    self->timed_out_ = true;
    ErrorCode ignored;
    (void)self->socket_.cancel(ignored);
  });
}

void Connection::disarm() {
  ++armed_;
  (void)timer_.cancel();
}

asio::awaitable<void> Connection::receive(Duration within) {
  const auto old = pending_.size();
  pending_.resize(old + kRequestPiece);
  ErrorCode ec;
  arm(within);
  const auto buffer = asio::buffer(pending_.data() + old, kRequestPiece);
  const std::size_t count = co_await socket_.async_read_some(buffer, redirect_error(use_awaitable, ec));
  disarm();
  pending_.resize(old + count);
  fault_ = !ec ? Fault::kNone : timed_out_ ? Fault::kTimeout : Fault::kGone;
}

/// How long to wait for the next bytes of a body or an answer of which `moved` bytes passed.
Connection::Duration Connection::patience(std::uint64_t moved) const {
  const Duration idle = context_.settings.body_idle_timeout;
  const Duration earned =
      std::chrono::milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(moved / kLeastRate, 86'400) * 1000));
  return std::min(idle, idle + earned - waited_);
}

asio::awaitable<bool> Connection::send(BytesView bytes) {
  waited_ = {};
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ErrorCode ec;
    const auto start = std::chrono::steady_clock::now();
    arm(patience(sent));
    const auto buffer = asio::buffer(bytes.data() + sent, bytes.size() - sent);
    const std::size_t count = co_await socket_.async_write_some(buffer, redirect_error(use_awaitable, ec));
    disarm();
    waited_ += std::chrono::steady_clock::now() - start;
    sent += count;
    if (ec) {
      closing_ = true;
      if (stop_) stop_->request_stop();
      co_return false;
    }
  }
  co_return true;
}

/// Reads on for a while after an answer that came before the request's end, so that the peer gets to read the answer
/// instead of a reset.
asio::awaitable<void> Connection::drain() {
  ErrorCode ec;
  (void)socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  const Deadline end = Deadline::after(kLongestDrain);
  for (std::uint64_t drained = 0; drained < kMostDrained && !end.expired() && !context_.abandoned;) {
    pending_.clear();
    co_await receive(end.left());
    if (fault_ != Fault::kNone) break;
    drained += pending_.size();
  }
  pending_.clear();
}

/// Reads a request's line and fields. False when the connection is to be closed.
asio::awaitable<bool> Connection::read_head() {
  const auto& settings = context_.settings;
  parser_ = std::make_unique<Parser<true>>(ParserLimits{.header_bytes = settings.max_header});
  bool begun = served_ == 0 || !pending_.empty();
  const auto now = [] { return std::chrono::steady_clock::now(); };
  TimePoint until = now() + (begun ? settings.header_timeout : settings.idle_timeout);
  for (;;) {
    if (!parser_->got_some()) pending_.erase(pending_.begin(), std::ranges::find_if(pending_, is_no_line_end));
    const ErrorCode ec = parser_->feed(pending_);
    if (ec) {
      const bool large = ec == beast::http::error::header_limit;
      co_await refuse_head(large ? 431 : 400, large ? "the request's head is too large" : "this is no valid HTTP/1.1");
      co_return false;
    }
    if (parser_->is_header_done()) break;
    idle_ = pending_.empty() && !parser_->got_some();
    if (idle_ && closing_) co_return false;
    co_await receive(until - now());
    if (fault_ == Fault::kTimeout && !idle_) co_await refuse_head(408, "the request's head took too long");
    if (fault_ != Fault::kNone) co_return false;
    if (!begun) until = now() + settings.header_timeout;
    begun = true;
  }
  idle_ = false;
  co_return true;
}

asio::awaitable<void> Connection::refuse_head(int status, std::string why) {
  closing_ = true;
  idle_ = false;
  const Error error(code_of_status(status), std::move(why));
  Response response = problem(status, error, {});
  co_await respond(std::move(response));
  co_await drain();
}

} // namespace tcfdl::http
