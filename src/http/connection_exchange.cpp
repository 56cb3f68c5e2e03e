#include "base/log.hpp"
#include "http/connection.hpp"
#include "http/problem.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <future>

namespace tcfdl::http {
namespace {

using asio::redirect_error;
using asio::use_awaitable;

constexpr std::size_t kChunkSize = std::size_t{64} << 10U;
constexpr std::size_t kWatchSize = 4096;
constexpr std::size_t kMostPipelined = std::size_t{64} << 10U;

/// Calls a handler or a producer; what it throws becomes an error.
template <class Value, class Call> Result<Value> guarded(Call call) {
  try {
    return call();
  } catch (const std::exception& failure) {
    spdlog::error("http: a handler failed: {}", failure.what());
  } catch (...) {
    spdlog::error("http: a handler failed with an exception of unknown type");
  }
  return Error(Code::kInternal, "the handler of this request failed; see the server's log");
}

/// The present as RFC 9110 section 5.6.7 writes it.
std::string http_date() {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  ::gmtime_r(&now, &t);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<std::size_t>(t.tm_wday)), t.tm_mday,
                     kMonths.at(static_cast<std::size_t>(t.tm_mon)), t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

bool bodyless(int status) noexcept { return status < 200 || status == 204 || status == 304; }

/// Fields that the connection itself decides.
bool is_reserved(std::string_view name) {
  return same_text(name, "Content-Length") || same_text(name, "Transfer-Encoding") || same_text(name, "Connection") ||
         same_text(name, "Date") || same_text(name, "Content-Type");
}

/// Appends a field; control characters cannot start another one.
void append_field(std::string& head, std::string_view name, std::string_view value) {
  head += fmt::format("{}: {}\r\n", printable(name, name.size()), printable(value, value.size()));
}

} // namespace

/// The body of a request whose handler reads it: passes reads on to the I/O thread and waits for them.
class Connection::Body final : public BodySource {
public:
  Body(std::shared_ptr<Connection> owner, std::optional<std::uint64_t> length)
      : owner_(std::move(owner)), length_(length) {}

  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    if (into.empty()) return std::size_t{0};
    const auto done = std::make_shared<std::promise<Result<std::size_t>>>();
    auto outcome = done->get_future();
    asio::co_spawn(owner_->context_.io, pass_on(owner_, into, done), asio::detached);
    return outcome.get();
  }
  [[nodiscard]] std::optional<std::uint64_t> length() const override { return length_; }

private:
  static asio::awaitable<void> pass_on(std::shared_ptr<Connection> owner, std::span<std::uint8_t> into,
                                       std::shared_ptr<std::promise<Result<std::size_t>>> done) {
    Result<std::size_t> result = co_await owner->read_some(into);
    done->set_value(std::move(result));
  }

  std::shared_ptr<Connection> owner_;
  std::optional<std::uint64_t> length_;
};

Admission Connection::admit_head() {
  Head head{.method = parser_->method,
            .target = parser_->target,
            .headers = parser_->headers,
            .version = parser_->version,
            .length = {},
            .has_body = !parser_->is_done(),
            .certificate = certificate_};
  if (const auto length = parser_->content_length_remaining()) head.length = *length;
  auto admission = admit(head, context_.router, context_.settings);
  if (!admission.answer && admission.request.caller) {
    const auto taken = context_.rates.take(admission.request.caller->name);
    if (!taken) admission.answer = problem(taken.error(), admission.request.path);
  }
  if (!admission.answer && (context_.stopping || context_.pool.full())) {
    admission.answer =
        problem(Error(Code::kUnavailable, "the server is busy; try again later"), admission.request.path);
  }
  return admission;
}

/// Answers the request whose head was read.
asio::awaitable<void> Connection::serve() {
  waited_ = {};
  Admission admission = admit_head();
  owes_continue_ = admission.expects_continue;
  parser_->limit_body(admission.max_body);
  if (!admission.answer && !admission.route->stream_handler) {
    const Status status = co_await read_body();
    if (!status && fault_ == Fault::kGone) {
      closing_ = true;
      co_return;
    }
    if (!status) {
      const Code code = status.error().code();
      const int number = code == Code::kDeadlineExceeded ? 408 : code == Code::kOutOfRange ? 413 : 400;
      admission.answer = problem(number, status.error(), admission.request.path);
    }
    admission.request.body = std::move(parser_->body);
  }
  Answered told{admission.request.method, admission.request.path, remote_, admission.request.caller};
  Response response;
  if (admission.answer) {
    response = *std::move(admission.answer);
  } else {
    stop_.emplace();
    admission.request.stop = stop_->get_token();
    admission.request.remote = remote_;
    watch();
    response = co_await handle(admission.route, std::move(admission.request));
  }
  if (context_.settings.reshape_problem && is_problem(response)) {
    context_.settings.reshape_problem(told.path, response);
  }
  told.status = response.status;
  if (context_.settings.on_answered && !told.path.empty()) context_.settings.on_answered(told);
  co_await respond(std::move(response));
  co_await end_watch();
  stop_.reset();
  if (!parser_->is_done()) co_await drain();
}

/// Parses what was received of the body; receives more if that gave nothing.
asio::awaitable<Status> Connection::more_body() {
  if (owes_continue_) {
    owes_continue_ = false;
    const bool sent = co_await send(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
    if (!sent) fault_ = Fault::kGone;
    if (!sent) co_return Error(Code::kCancelled, "the peer is gone");
  }
  const auto before = parser_->received();
  const ErrorCode ec = parser_->feed(pending_);
  if (ec == beast::http::error::body_limit) {
    co_return make_error(Code::kOutOfRange, "the body has more than {} bytes", parser_->body_limit_bytes());
  }
  if (ec) co_return Error(Code::kInvalidArgument, "the body is no valid chunked coding");
  if (parser_->is_done() || parser_->received() > before) co_return Status();
  const auto start = std::chrono::steady_clock::now();
  co_await receive(patience(before));
  waited_ += std::chrono::steady_clock::now() - start;
  if (fault_ == Fault::kTimeout) co_return Error(Code::kDeadlineExceeded, "the body arrives too slowly");
  if (fault_ == Fault::kGone) co_return Error(Code::kCancelled, "the peer is gone");
  co_return Status();
}

asio::awaitable<Status> Connection::read_body() {
  while (!parser_->is_done()) {
    Status status = co_await more_body();
    if (!status) co_return status;
  }
  co_return Status();
}

asio::awaitable<Result<std::size_t>> Connection::read_some(std::span<std::uint8_t> into) {
  auto& body = parser_->body;
  while (body.empty() && !parser_->is_done()) {
    const Status status = co_await more_body();
    if (status) continue;
    if (fault_ == Fault::kGone && stop_) stop_->request_stop();
    co_return status.error();
  }
  const auto count = std::min(into.size(), body.size());
  std::copy_n(body.begin(), count, into.begin());
  body.erase(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(count));
  if (parser_->is_done()) watch();
  co_return count;
}

/// Runs work on the pool and waits for it. False if the pool refuses it.
asio::awaitable<bool> Connection::on_pool(WorkerPool::Job work, bool admitted) {
  working_ = true;
  WorkerPool::Job job = [self = shared_from_this(), work = std::move(work)]() mutable {
    work();
    work = nullptr;
    auto& io = self->context_.io;
    asio::post(io, [self = std::move(self)] {
      self->working_ = false;
      (void)self->wake_.cancel();
    });
  };
  auto& pool = context_.pool;
  const bool accepted = admitted ? pool.post_admitted(job) : pool.post(job);
  while (accepted && working_) {
    ErrorCode ec;
    (void)wake_.expires_at(TimePoint::max());
    co_await wake_.async_wait(redirect_error(use_awaitable, ec));
  }
  co_return accepted;
}

asio::awaitable<Response> Connection::handle(const Route* route, Request request) {
  const auto asked = std::make_shared<Request>(std::move(request));
  const auto answer = std::make_shared<Result<Response>>(Error(Code::kUnavailable, "the server is busy or stops"));
  std::optional<std::uint64_t> length;
  if (const auto declared = parser_->content_length_remaining()) length = *declared;
  WorkerPool::Job work = [this, route, asked, answer, length] {
    if (context_.abandoned) return;
    *answer = guarded<Response>([&] {
      if (!route->stream_handler) return route->handler(*asked);
      Body body(shared_from_this(), length);
      return route->stream_handler(*asked, body);
    });
  };
  co_await on_pool(std::move(work), false);
  Response response;
  if (*answer) {
    response = *std::move(*answer);
  } else {
    response = problem(answer->error(), asked->path);
  }
  co_return response;
}

/// Reads ahead while a handler works, so that a peer that goes away is noticed. What it sends is kept for the next
/// request.
void Connection::watch() {
  if (watching_ || stop_watch_ || !parser_->is_done() || pending_.size() >= kMostPipelined) return;
  watching_ = true;
  watched_.resize(kWatchSize);
  socket_.async_read_some(asio::buffer(watched_), [self = shared_from_this()](const ErrorCode& ec, std::size_t count) {
    self->watching_ = false;
    const auto arrived = BytesView(self->watched_).first(count);
    bool alive = !ec;
    if (self->tls_) {
      alive = self->unseal(arrived) && alive;
    } else {
      self->pending_.insert(self->pending_.end(), arrived.begin(), arrived.end());
    }
    if (alive) {
      self->watch();
    } else if (!self->stop_watch_) {
      self->closing_ = true;
      if (self->stop_) self->stop_->request_stop();
    }
    (void)self->wake_.cancel();
  });
}

asio::awaitable<void> Connection::end_watch() {
  stop_watch_ = true;
  ErrorCode ec;
  if (watching_) (void)socket_.cancel(ec);
  while (watching_) {
    (void)wake_.expires_at(TimePoint::max());
    co_await wake_.async_wait(redirect_error(use_awaitable, ec));
  }
  stop_watch_ = false;
}

std::string Connection::head_of(const Response& response) const {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  append_field(head, "Date", http_date());
  if (!response.content_type.empty()) append_field(head, "Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) {
    if (!is_reserved(name)) append_field(head, name, value);
  }
  if (!response.headers.has("Cache-Control")) append_field(head, "Cache-Control", "no-store");
  append_field(head, "X-Content-Type-Options", "nosniff");
  if (response.stream && parser_->version >= 11) {
    append_field(head, "Transfer-Encoding", "chunked");
  } else if (!response.stream && !bodyless(response.status)) {
    append_field(head, "Content-Length", std::to_string(response.body.size()));
  }
  if (closing_) {
    append_field(head, "Connection", "close");
  } else if (parser_->version < 11) {
    append_field(head, "Connection", "keep-alive");
  }
  return head + "\r\n";
}

/// Sends an answer, and decides whether the connection outlives it.
asio::awaitable<void> Connection::respond(Response response) {
  if (bodyless(response.status)) response.stream = nullptr;
  if (!parser_->is_done() || served_ >= context_.settings.max_requests || context_.stopping) closing_ = true;
  if (!closing_) closing_ = !parser_->keep_alive() || (response.stream && parser_->version < 11);
  const std::string head = head_of(response);
  Bytes start = to_bytes(head);
  const bool with_body = parser_->method != "HEAD" && !bodyless(response.status);
  const bool joined = with_body && response.body.size() <= kChunkSize && !response.stream;
  if (joined) start.insert(start.end(), response.body.begin(), response.body.end());
  const bool sent = co_await send(start);
  if (!sent || !with_body || joined) co_return;
  if (response.stream) {
    co_await send_stream(std::move(response.stream));
  } else {
    co_await send(response.body);
  }
}

/// Sends what a producer gives, as chunks where the peer knows them. An error of the producer ends the connection.
asio::awaitable<void> Connection::send_stream(Producer producer) {
  const bool chunked = parser_->version >= 11;
  const auto buffer = std::make_shared<Bytes>(kChunkSize);
  const auto produced = std::make_shared<Result<std::size_t>>(std::size_t{0});
  for (;;) {
    *produced = Error(Code::kUnavailable, "the server stops");
    WorkerPool::Job work = [&producer, buffer, produced] {
      const auto call = [&] { return producer(*buffer); };
      auto outcome = guarded<Result<std::size_t>>(call);
      *produced = outcome ? *std::move(outcome) : Result<std::size_t>(outcome.error());
    };
    co_await on_pool(std::move(work), true);
    if (!*produced) {
      closing_ = true;
      co_return;
    }
    const std::size_t count = std::min(**produced, buffer->size());
    Bytes piece;
    if (chunked) piece = to_bytes(fmt::format("{:x}\r\n", count));
    piece.insert(piece.end(), buffer->begin(), buffer->begin() + static_cast<std::ptrdiff_t>(count));
    if (chunked) piece.insert(piece.end(), {'\r', '\n'});
    const bool sent = co_await send(piece);
    if (!sent || count == 0) co_return;
  }
}

} // namespace tcfdl::http
