#include "http/connection.hpp"

#include "base/deadline.hpp"
#include "base/log.hpp"
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
constexpr std::size_t kAnswerPiece = std::size_t{64} << 10U;
constexpr std::uint64_t kLeastRate = 1024; // bytes a second
constexpr std::uint64_t kMostDrained = std::uint64_t{4} << 20U;
constexpr std::chrono::seconds kLongestDrain{1};

/// For who speaks HTTP to a port of HTTPS.
constexpr std::string_view kNotPlain = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 57\r\n"
                                       "Connection: close\r\n\r\n"
                                       "This port speaks HTTPS (TLS 1.3) alone: use https://HOST\n";

bool is_no_line_end(std::uint8_t byte) { return byte != '\r' && byte != '\n'; }

std::string name_of(const asio::ip::tcp::socket& socket) {
  ErrorCode ec;
  const auto peer = socket.remote_endpoint(ec);
  return ec ? std::string("(gone)") : host_and_port(peer.address().to_string(), peer.port());
}

} // namespace

Connection::Connection(ServerContext& context, asio::ip::tcp::socket socket)
    : context_(context), socket_(std::move(socket)), timer_(context.io), wake_(context.io), remote_(name_of(socket_)) {
  if (const auto& tls = context.settings.tls) {
    tls_ = std::make_unique<crypto::TlsSession>(crypto::TlsSession::accept(tls->context()));
  }
}

asio::awaitable<void> Connection::run() {
  bool more = true;
  if (tls_) more = co_await shake_hands();
  while (more) {
    more = co_await read_head();
    if (!more) break;
    ++served_;
    co_await serve();
    more = !closing_;
  }
  say_end();
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

asio::awaitable<void> Connection::read_socket(Bytes& into, Duration within) {
  const auto old = into.size();
  into.resize(old + kRequestPiece);
  ErrorCode ec;
  arm(within);
  const auto buffer = asio::buffer(into.data() + old, kRequestPiece);
  const std::size_t count = co_await socket_.async_read_some(buffer, redirect_error(use_awaitable, ec));
  disarm();
  into.resize(old + count);
  fault_ = !ec ? Fault::kNone : timed_out_ ? Fault::kTimeout : Fault::kGone;
}

asio::awaitable<void> Connection::receive(Duration within) {
  if (!tls_) {
    co_await read_socket(pending_, within);
    co_return;
  }
  const auto until = std::chrono::steady_clock::now() + within;
  const auto old = pending_.size();
  while (pending_.size() == old) { // a record may come in parts
    Bytes sealed;
    co_await read_socket(sealed, until - std::chrono::steady_clock::now());
    if (fault_ != Fault::kNone) co_return;
    if (!unseal(sealed)) {
      fault_ = Fault::kGone;
      co_return;
    }
  }
}

/// Opens what came and appends it to what is pending. False at the end and for broken records.
bool Connection::unseal(BytesView sealed) {
  tls_->feed(sealed);
  const auto old = pending_.size();
  for (;;) {
    const auto at = pending_.size();
    pending_.resize(at + kRequestPiece);
    const auto got = tls_->read(std::span(pending_).subspan(at));
    pending_.resize(at + got.value_or(0));
    if (!got || tls_->pending_output() > kAnswerPiece) return false; // keys are not changed that often
    if (*got == 0) return !tls_->ended() || pending_.size() > old;
  }
}

/// False when the peer is not one for TLS 1.3.
asio::awaitable<bool> Connection::shake_hands() {
  const auto until = std::chrono::steady_clock::now() + context_.settings.header_timeout;
  for (bool first = true;; first = false) {
    Bytes sealed;
    co_await read_socket(sealed, until - std::chrono::steady_clock::now());
    if (fault_ != Fault::kNone) co_return false;
    const bool plain = first && sealed[0] >= 'A' && sealed[0] <= 'Z';
    if (plain) {
      co_await write_socket(as_bytes(kNotPlain), 0);
      co_return false;
    }
    tls_->feed(sealed);
    const auto done = tls_->handshake();
    const Bytes answer = tls_->take_output();
    const bool sent = co_await write_socket(answer, 0);
    if (!done) spdlog::debug("http: {}: {}", remote_, done.error().message());
    if (!done || !sent) co_return false;
    if (!*done) continue;
    certificate_ = tls_->peer_certificate();
    co_return unseal({}); // a request may have come along
  }
}

/// Tells the peer that nothing more follows, as far as that can be done at once.
void Connection::say_end() {
  if (!tls_) return;
  tls_->close();
  const Bytes last = tls_->take_output();
  ErrorCode ec;
  if (!last.empty()) (void)socket_.write_some(asio::buffer(last), ec);
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
  if (!tls_) {
    const bool sent = co_await write_socket(bytes, 0);
    co_return sent;
  }
  for (std::size_t at = 0; at < bytes.size(); at += kAnswerPiece) {
    const auto written = tls_->write(bytes.subspan(at, std::min(kAnswerPiece, bytes.size() - at)));
    const Bytes sealed = tls_->take_output();
    const bool sent = co_await write_socket(sealed, at);
    if (!written || !sent) {
      closing_ = true;
      co_return false;
    }
  }
  co_return true;
}

/// Writes all; `moved` bytes of the same answer went before.
asio::awaitable<bool> Connection::write_socket(BytesView bytes, std::uint64_t moved) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ErrorCode ec;
    const auto start = std::chrono::steady_clock::now();
    arm(patience(moved + sent));
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
  say_end();
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
