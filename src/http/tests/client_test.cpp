#include "http/tests/fixture.hpp"

#include <arpa/inet.h>
#include <set>
#include <sys/socket.h>
#include <thread>

namespace tcfdl::http {
namespace {

/// A listening socket that says to its first peer what a test wants.
class Listener {
public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 4), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Accepts a peer, reads a little, answers and closes.
  void answer(const std::string& text) const {
    const UniqueFd peer(::accept(fd_.get(), nullptr, nullptr));
    std::array<char, 4096> heard{};
    EXPECT_GT(::recv(peer.get(), heard.data(), heard.size(), 0), 0);
    EXPECT_EQ(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

Result<Response> exchange(const std::string& answer, std::string method = "GET") {
  const Listener listener;
  std::jthread server([&] { listener.answer(answer); });
  Client to({.port = listener.port(), .max_response = 100});
  return to.send(Request::make(std::move(method), "/"), soon());
}

class ClientTest : public ServerTest {};

TEST_F(ClientTest, UsesOneConnectionForRequestsInARow) {
  start({.max_connections = 1});
  server->stop();
  Server remotes({.authenticate = single_token(kToken)});
  remotes.add("GET", "/remote", [](const Request& request) { return Response::plain(200, request.remote); });
  ASSERT_TRUE(remotes.start());
  Client to({.port = remotes.port(), .token = kToken});
  std::set<std::string> seen;
  for (int i = 0; i < 5; ++i) seen.emplace(to.send(Request::make("GET", "/remote"), soon())->text());
  EXPECT_EQ(seen.size(), 1U);
}

TEST_F(ClientTest, ConnectsAnewWhenTheServerEndedAKeptConnection) {
  start({.max_requests = 1});
  auto to = client();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(to.send(Request::make("GET", "/healthz"), soon())->text(), "ok");
}

TEST_F(ClientTest, KeepsTheDeadlineWhileItWaitsForTheAnswer) {
  start();
  auto to = client();
  const auto response = to.send(Request::make("GET", "/v1/wait"), Deadline::after(std::chrono::milliseconds(50)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(cancelled.wait());
  leave.open();
}

TEST_F(ClientTest, NamesTheAddressThatItCannotReach) {
  start();
  const auto port = server->port();
  server->stop();
  Client to({.port = port});
  const auto response = to.send(Request::make("GET", "/"), soon());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kUnavailable);
  EXPECT_NE(response.error().message().find(fmt::format("127.0.0.1:{}", port)), std::string::npos);
}

TEST_F(ClientTest, RefusesOtherHostsThanLoopback) {
  Client to({.host = "192.0.2.1", .port = 80, .token = "secret"});
  EXPECT_EQ(to.send(Request::make("GET", "/"), soon()).error().code(), Code::kInvalidArgument);
}

TEST_F(ClientTest, RefusesToSendSplitFieldsAndTargets) {
  start();
  auto to = client();
  EXPECT_EQ(to.send(Request::make("GET", "/ HTTP/1.1"), soon()).error().code(), Code::kInvalidArgument);
  auto request = Request::make("GET", "/healthz");
  request.headers.add("X", "a\r\nY: b");
  EXPECT_EQ(to.send(std::move(request), soon()).error().code(), Code::kInvalidArgument);
}

TEST(Client, ReadsAnswersOfEveryFraming) {
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")->text(), "ab");
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\n\r\nuntil the end")->text(), "until the end");
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")->text(),
            "abc");
  EXPECT_EQ(exchange("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")->status, 204);
}

TEST(Client, BoundsAndChecksWhatItReads) {
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x')).error().code(),
            Code::kResourceExhausted);
  EXPECT_EQ(exchange("rubbish\r\n\r\n").error().code(), Code::kInternal);
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab").error().code(), Code::kUnknown);
  EXPECT_EQ(exchange("", "POST").error().code(), Code::kUnknown);
}

} // namespace
} // namespace tcfdl::http
