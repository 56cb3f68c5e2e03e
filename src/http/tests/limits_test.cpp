#include "http/tests/fixture.hpp"

#include <random>

namespace tcfdl::http {
namespace {

using std::chrono::milliseconds;

class Limits : public ServerTest {};

TEST_F(Limits, RefusesBodiesAboveTheLimitDeclaredOrChunked) {
  start({.max_body = 10});
  auto declared = peer();
  declared.say(head("POST /v1/echo", "Content-Length: 11\r\n"));
  EXPECT_TRUE(declared.hear("\r\n").starts_with("HTTP/1.1 413"));
  auto chunked = peer();
  chunked.say(head("POST /v1/echo", "Transfer-Encoding: chunked\r\n") + "b\r\n01234567890\r\n");
  EXPECT_TRUE(chunked.hear("\r\n").starts_with("HTTP/1.1 413"));
  auto fits = client();
  EXPECT_EQ(fits.send(Request::make("POST", "/v1/echo", "0123456789"), soon())->text(), "0123456789");
}

TEST_F(Limits, LetsTheClientReadARefusalOfALargeBody) {
  start({.max_body = 10});
  auto to = client();
  const auto response = to.send(Request::make("POST", "/v1/echo", std::string(900'000, 'x')), soon());
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(error_of(*response).code(), Code::kOutOfRange);
}

TEST_F(Limits, RefusesBeforeTheBodyThatAwaitsContinue) {
  start({.max_body = 100});
  const auto refused = [this](const std::string& request) {
    auto to = peer();
    to.say(request);
    return to.hear("\r\n");
  };
  EXPECT_TRUE(refused("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                  .starts_with("HTTP/1.1 401"));
  EXPECT_TRUE(
      refused(head("POST /v1/echo", "Content-Length: 101\r\nExpect: 100-continue\r\n")).starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(refused(head("POST /v1/echo", "Content-Length: 5\r\nExpect: miracles\r\n")).starts_with("HTTP/1.1 417"));
}

TEST_F(Limits, InvitesTheBodyThatAwaitsContinue) {
  start();
  auto to = peer();
  to.say(head("POST /v1/echo", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(to.hear("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  to.say("hello");
  EXPECT_TRUE(to.hear("hello").ends_with("hello"));
}

TEST_F(Limits, UnauthorisedUploadsSendNoBody) {
  start();
  auto request = Request::make("PUT", "/v1/artefacts");
  bool asked = false;
  request.upload = Upload{.size = 100'000, .read = [&asked](std::span<std::uint8_t> into) -> Result<std::size_t> {
                            asked = true;
                            return into.size();
                          }};
  const auto response = client("wrong").send(std::move(request), soon());
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->status, 401);
  EXPECT_FALSE(asked);
}

TEST_F(Limits, EndsSlowHeadsAndSilentConnections) {
  start({.header_timeout = milliseconds(50)});
  auto slow = peer();
  slow.say("GET /healthz HTT");
  EXPECT_TRUE(slow.hear("\r\n").starts_with("HTTP/1.1 408"));
  auto silent = peer();
  EXPECT_TRUE(silent.ends());
}

TEST_F(Limits, EndsHeadsThatTrickle) {
  start({.header_timeout = milliseconds(200)});
  auto to = peer();
  std::jthread trickle([&to](const std::stop_token& stop) {
    to.say("GET /healthz HTTP/1.1\r\n");
    while (!stop.stop_requested()) to.say("a: b\r\n"), std::this_thread::sleep_for(milliseconds(50));
  });
  EXPECT_TRUE(Peer(server->port()).ends()); // another connection meets the same limit meanwhile
  trickle.request_stop();
  trickle.join();
  EXPECT_TRUE(to.hear("\r\n").starts_with("HTTP/1.1 408"));
}

TEST_F(Limits, EndsIdleConnectionsAfterTheirTime) {
  start({.idle_timeout = milliseconds(30)});
  auto to = peer();
  to.say(head("GET /healthz"));
  EXPECT_FALSE(to.hear("\r\n\r\nok").empty());
  EXPECT_TRUE(to.ends());
}

TEST_F(Limits, EndsBodiesThatStop) {
  start({.body_idle_timeout = milliseconds(50)});
  auto whole = peer();
  whole.say(head("POST /v1/echo", "Content-Length: 10\r\n") + "abc");
  EXPECT_TRUE(whole.hear("\r\n").starts_with("HTTP/1.1 408"));
  auto streamed = peer();
  streamed.say(head("PUT /v1/artefacts", "Content-Length: 10\r\n") + "abc");
  EXPECT_NE(streamed.hear_all().find("DEADLINE_EXCEEDED"), std::string::npos);
}

TEST_F(Limits, RefusesHeadsThatAreTooLarge) {
  start({.max_header = 1024});
  auto lines = peer();
  lines.say(head("GET /healthz", "X: " + std::string(2000, 'x') + "\r\n"));
  EXPECT_TRUE(lines.hear("\r\n").starts_with("HTTP/1.1 431"));
  auto target = peer();
  target.say("GET /" + std::string(100'000, 'x'));
  EXPECT_TRUE(target.hear("\r\n").starts_with("HTTP/1.1 431"));
  std::string many;
  for (int i = 0; i < 120; ++i) many += "a:b\r\n";
  auto fields = peer();
  fields.say(head("GET /healthz", many));
  EXPECT_TRUE(fields.hear("\r\n").starts_with("HTTP/1.1 431"));
}

TEST_F(Limits, RefusesFramingThatCanBeReadTwoWays) {
  start();
  for (const auto* fields :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "Transfer-Encoding: chunked, chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: -1\r\n", "Host: y\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"}) {
    auto to = peer();
    to.say(head("POST /v1/echo", fields));
    EXPECT_TRUE(to.hear("\r\n").starts_with("HTTP/1.1 400")) << fields;
  }
  auto no_host = peer();
  no_host.say("GET /healthz HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(no_host.hear("\r\n").starts_with("HTTP/1.1 400"));
}

TEST_F(Limits, RefusesStrangeTargets) {
  start();
  for (const auto* target : {"*", "http://x/", "/a%0", "/a%00", "/../x", "/a/%2e%2E/b", "/a?x=1&x=2", "/a%0d%0aX: y"}) {
    auto to = peer();
    to.say(head(fmt::format("GET {}", target)));
    EXPECT_TRUE(to.hear("\r\n").starts_with("HTTP/1.1 400")) << target;
  }
}

TEST_F(Limits, SurvivesRubbish) {
  start();
  std::mt19937 random(1); // NOLINT(bugprone-random-generator-seed): the same bytes in every run
  for (int i = 0; i < 60; ++i) {
    std::string bytes(i * 40 + 1, ' ');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    auto to = peer();
    if (i % 3 == 1) to.say("POST /v1/echo HTTP/1.1\r\n");
    if (i % 3 == 2) to.say(head("POST /v1/echo", "Transfer-Encoding: chunked\r\n"));
    to.say(bytes + "\r\n\r\n");
    EXPECT_TRUE(to.hear("\r\n").starts_with("HTTP/1.1 400")) << i;
  }
  EXPECT_EQ(client().send(Request::make("GET", "/healthz"), soon())->text(), "ok");
}

TEST_F(Limits, RefusesWorkWhenNoThreadIsLeft) {
  start({.threads = 1, .max_queued = 0});
  auto busy = peer();
  busy.say(head("GET /v1/wait"));
  ASSERT_TRUE(entered.wait());
  const auto response = client().send(Request::make("GET", "/healthz"), soon());
  leave.open();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->headers.get("Retry-After"), "1");
  EXPECT_TRUE(busy.hear("done").ends_with("done"));
}

TEST_F(Limits, RefusesRequestsAboveACallersRate) {
  start({.requests_per_second = 1});
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    const auto response = client().send(Request::make("GET", "/v1/functions/echo"), soon());
    ASSERT_TRUE(response);
    if (response->status != 429) continue;
    ++refused;
    EXPECT_EQ(response->headers.get("Retry-After"), "1");
  }
  EXPECT_GT(refused, 0);
}

TEST_F(Limits, RefusesConnectionsAboveTheirNumber) {
  start({.max_connections = 1});
  auto first = peer();
  first.say(head("GET /healthz"));
  EXPECT_FALSE(first.hear("\r\n\r\nok").empty());
  const auto response = client().send(Request::make("GET", "/healthz"), soon());
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->status, 503);
}

TEST_F(Limits, EndsAConnectionAfterItsShareOfRequests) {
  start({.max_requests = 2});
  auto to = peer();
  to.say(head("GET /healthz") + head("GET /healthz") + head("GET /healthz"));
  const auto all = to.hear_all();
  const auto second = all.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos) << all;
  EXPECT_GT(all.find("Connection: close"), second);
  EXPECT_EQ(all.find("HTTP/1.1", second + 1), std::string::npos);
}

} // namespace
} // namespace tcfdl::http
