#include "http/client.hpp"

#include "base/guarded.hpp"
#include "http/client_socket.hpp"
#include "http/parser.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <netdb.h>

namespace tcfdl::http {
namespace {

constexpr std::size_t kMostIdle = 4;
constexpr std::size_t kGreetAbove = std::size_t{1} << 20U;
constexpr std::size_t kPiece = std::size_t{256} << 10U;
constexpr std::chrono::seconds kGreetingWait{1};

bool is_repeatable(std::string_view method) {
  constexpr std::array<std::string_view, 5> kMethods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

/// The first address of a name, numeric.
Result<std::string> look_up(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  if (failure != 0) return make_error(Code::kUnavailable, "cannot find '{}': {}", host, ::gai_strerror(failure));
  std::array<char, NI_MAXHOST> text{};
  const int failed =
      ::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  ::freeaddrinfo(found);
  if (failed != 0) return make_error(Code::kUnavailable, "cannot find '{}': {}", host, ::gai_strerror(failed));
  return std::string(text.data());
}

/// One request and its answer on one connection.
class Exchange {
public:
  Exchange(ClientSocket& socket, Request& request, const ClientSettings& settings, const Sink& sink, Deadline deadline)
      : socket_(socket), request_(request), settings_(settings), sink_(sink), deadline_(deadline) {}

  Result<Response> run(const std::string& head);
  /// Whether any byte of an answer arrived.
  [[nodiscard]] bool answered() const { return answered_; }
  /// Whether the connection can carry another request.
  [[nodiscard]] bool reusable() const { return reusable_; }

private:
  Status send_request(const std::string& head);
  Status send_body();
  Status send_all(BytesView bytes);
  Result<bool> step(Parser<false>& parser);
  Status pass_body(Parser<false>& parser);

  ClientSocket& socket_;
  Request& request_;
  const ClientSettings& settings_;
  const Sink& sink_;
  Deadline deadline_;
  Bytes pending_;
  bool early_ = false; // the peer answers or closes before it has the whole request
  bool answered_ = false;
  bool reusable_ = false;
};

Status Exchange::send_all(BytesView bytes) {
  while (!bytes.empty() && !early_) {
    const auto sent = socket_.send_some(bytes, deadline_);
    if (!sent && sent.error().code() != Code::kUnavailable) return sent.error();
    // A server that refuses a request may close before it has read it; its answer says more than the broken pipe.
    early_ = sent.value_or(0) == 0;
    bytes = bytes.subspan(sent.value_or(0));
  }
  return {};
}

Status Exchange::send_body() {
  if (!request_.upload) return send_all(request_.body);
  Bytes piece(kPiece);
  for (auto left = request_.upload->size; left > 0 && !early_;) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    TCFDL_ASSIGN(const auto count, request_.upload->read(std::span(piece).first(most)));
    if (count == 0 || count > most) return Error(Code::kDataLoss, "the upload has another size than it was given");
    left -= count;
    TCFDL_TRY(send_all(BytesView(piece).first(count)));
  }
  return {};
}

Status Exchange::send_request(const std::string& head) {
  TCFDL_TRY(send_all(as_bytes(head)));
  if (early_ || !request_.headers.has("Expect")) return early_ ? Status() : send_body();
  if (socket_.readable_by(deadline_.earlier(Deadline::after(kGreetingWait)))) {
    TCFDL_ASSIGN(const auto got, socket_.receive(pending_, deadline_));
    answered_ = got > 0;
    // Anything but `100 Continue` is the answer to the head alone.
    early_ = !as_text(pending_).starts_with("HTTP/1.1 100");
  }
  return early_ ? Status() : send_body();
}

/// Hands the part of the body that arrived to the sink, or counts it.
Status Exchange::pass_body(Parser<false>& parser) {
  const bool sinks = sink_ && parser.status >= 200 && parser.status < 300;
  if (sinks && !parser.body.empty()) {
    TCFDL_TRY(sink_(parser.body));
    parser.body.clear();
  }
  if (parser.body.size() <= settings_.max_response) return {};
  return make_error(Code::kResourceExhausted, "the answer has more than {} bytes", settings_.max_response);
}

/// Parses what arrived, receives more if that was not the end. True at the end of the message.
Result<bool> Exchange::step(Parser<false>& parser) {
  const auto malformed = [] { return Error(Code::kInternal, "the answer is no valid HTTP/1.1"); };
  if (parser.feed(pending_)) return malformed();
  TCFDL_TRY(pass_body(parser));
  if (parser.is_done()) return true;
  if (!pending_.empty() && parser.is_header_done() && parser.feed(pending_)) return malformed();
  TCFDL_TRY(pass_body(parser));
  if (parser.is_done()) return true;
  TCFDL_ASSIGN(const auto got, socket_.receive(pending_, deadline_));
  answered_ = answered_ || got > 0;
  if (got > 0) return false;
  ErrorCode ec;
  if (parser.got_some()) parser.put_eof(ec);
  if (!ec && parser.is_done()) return true;
  return Error(Code::kUnknown,
               "the connection broke before the whole answer arrived; whether the server acted is unknown");
}

Result<Response> Exchange::run(const std::string& head) {
  TCFDL_TRY(send_request(head));
  for (;;) {
    Parser<false> parser(ParserLimits{.header_bytes = 64U << 10U});
    if (request_.method == "HEAD") parser.skip(true);
    for (bool done = false; !done;) {
      TCFDL_ASSIGN(done, step(parser));
    }
    if (parser.status / 100 == 1) continue;
    reusable_ = !early_ && pending_.empty() && parser.keep_alive();
    Response response;
    response.status = parser.status;
    response.content_type = parser.headers.get("Content-Type");
    response.headers = std::move(parser.headers);
    response.body = std::move(parser.body);
    return response;
  }
}

} // namespace

class Client::Impl {
public:
  explicit Impl(Settings settings) : settings_(std::move(settings)) {}

  Result<Response> send(Request request, Deadline deadline, const Sink& sink);

private:
  struct Taken {
    ClientSocket socket;
    bool reused;
  };

  Result<std::string> head_of(Request& request) const;
  Result<Taken> take(Deadline deadline, bool fresh);
  Result<ClientSocket> connect(Deadline deadline);
  void keep(ClientSocket socket);
  [[nodiscard]] std::string where() const { return host_and_port(settings_.host, settings_.port); }
  [[nodiscard]] std::string url() const { return (settings_.tls ? "https://" : "http://") + where(); }

  const Settings settings_;
  Guarded<std::vector<ClientSocket>> idle_;
};

Result<std::string> Client::Impl::head_of(Request& request) const {
  const auto size = request.upload ? request.upload->size : request.body.size();
  auto& headers = request.headers;
  headers.set("Host", where());
  if (!settings_.token.empty()) headers.set("Authorization", "Bearer " + settings_.token);
  if (size > 0 || request.method == "POST" || request.method == "PUT") {
    headers.set("Content-Length", std::to_string(size));
  }
  if (size > kGreetAbove || (request.upload && size > 0)) headers.set("Expect", "100-continue");
  auto head = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  bool clean = !has_control(request.method) && !has_control(request.target) && request.target.starts_with('/') &&
               request.target.find(' ') == std::string::npos;
  for (const auto& [name, value] : headers) {
    clean = clean && !has_control(name) && !has_control(value);
    head += fmt::format("{}: {}\r\n", name, value);
  }
  if (!clean) return Error(Code::kInvalidArgument, "the request's method, target or fields have forbidden characters");
  return head + "\r\n";
}

Result<Client::Impl::Taken> Client::Impl::take(Deadline deadline, bool fresh) {
  std::optional<ClientSocket> kept;
  while (!fresh) {
    kept = idle_.with([](auto& sockets) -> std::optional<ClientSocket> {
      if (sockets.empty()) return std::nullopt;
      std::optional<ClientSocket> last(std::move(sockets.back()));
      sockets.pop_back();
      return last;
    });
    if (!kept) break;
    if (kept->is_idle()) return Taken{*std::move(kept), true};
  }
  if (!settings_.tls) TCFDL_TRY(loopback_address(settings_.host));
  auto socket = connect(deadline);
  if (socket) return Taken{*std::move(socket), false};
  if (socket.error().code() == Code::kUnauthenticated) return socket.error().within("cannot connect to " + url());
  return make_error(socket.error().code(),
                    "cannot connect to {}: {}; is the daemon running there, and is this its address?", url(),
                    socket.error().message());
}

Result<ClientSocket> Client::Impl::connect(Deadline deadline) {
  if (!settings_.tls) {
    TCFDL_ASSIGN(const auto literal, loopback_address(settings_.host));
    return ClientSocket::connect(literal, settings_.port, deadline);
  }
  const auto& tls = *settings_.tls;
  TCFDL_ASSIGN(const auto context, crypto::TlsContext::client(tls.root_pem, tls.certificate_pem,
                                                              tls.key_pem ? tls.key_pem->span() : BytesView()));
  TCFDL_ASSIGN(const auto literal, look_up(settings_.host));
  TCFDL_ASSIGN(auto socket, ClientSocket::connect(literal, settings_.port, deadline));
  TCFDL_TRY(socket.secure(context, settings_.tls->server_name, deadline));
  return socket;
}

void Client::Impl::keep(ClientSocket socket) {
  idle_.with([&socket](auto& sockets) {
    if (sockets.size() < kMostIdle) sockets.push_back(std::move(socket));
  });
}

Result<Response> Client::Impl::send(Request request, Deadline deadline, const Sink& sink) {
  TCFDL_ASSIGN(const auto head, head_of(request));
  for (bool fresh = false;; fresh = true) {
    TCFDL_ASSIGN(auto taken, take(deadline, fresh));
    Exchange exchange(taken.socket, request, settings_, sink, deadline);
    auto response = exchange.run(head);
    if (response) {
      if (exchange.reusable()) keep(std::move(taken.socket));
      return response;
    }
    const auto code = response.error().code();
    const bool broken = code == Code::kUnknown || code == Code::kUnavailable;
    // A kept connection may end just when it is used again; what can be repeated is sent once more on a new one.
    if (broken && taken.reused && !exchange.answered() && is_repeatable(request.method) && !request.upload) continue;
    const auto told = code == Code::kUnavailable ? Error(Code::kUnknown, response.error().message()) : response.error();
    return told.within(fmt::format("{} {}{}", request.method, url(), request.target));
  }
}

Client::Client(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}

Client::~Client() = default;

Result<Response> Client::send(Request request, Deadline deadline, const Sink& sink) {
  return impl_->send(std::move(request), deadline, sink);
}

Result<Response> Client::call(Request request, Deadline deadline, const Sink& sink) {
  return expect_ok(send(std::move(request), deadline, sink));
}

} // namespace tcfdl::http
