#include "http/tests/fixture.hpp"

namespace tcfdl::http {
namespace {

TEST_F(ServerTest, PassesNamesWithSlashesWrittenPlainlyOrEscaped) {
  start();
  auto to = client();
  EXPECT_EQ(to.send(Request::make("POST", "/v1/functions/plates/read/invoke", "x"), soon())->text(),
            "invoke plates/read with x");
  EXPECT_EQ(to.send(Request::make("POST", "/v1/functions/plates%2Fread/invoke", "x"), soon())->text(),
            "invoke plates/read with x");
  EXPECT_EQ(to.send(Request::make("GET", "/v1/functions/plates%2Finvoke"), soon())->text(), "get plates/invoke");
}

TEST_F(ServerTest, DemandsTheTokenExceptOnPublicRoutes) {
  start();
  const auto request = Request::make("GET", "/v1/functions/a");
  for (const auto* token : {"", "0", "0123456789abcdeF", "0123456789abcdef0", "0123456789abcdef0123456789abcdef"}) {
    const auto response = client(token).send(request, soon());
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 401) << token;
    EXPECT_EQ(response->headers.get("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(client().send(request, soon())->status, 200);
  EXPECT_EQ(client("").send(Request::make("GET", "/healthz"), soon())->text(), "ok");
  EXPECT_EQ(client("").send(Request::make("GET", "/nothing"), soon())->status, 401);
}

TEST_F(ServerTest, AnEmptyTokenOpensNothing) {
  Server closed({});
  closed.add("GET", "/v1/x", [](const Request&) { return Response::plain(200, "x"); });
  ASSERT_TRUE(closed.start());
  Peer to(closed.port());
  to.say("GET /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \r\n\r\n");
  EXPECT_TRUE(to.hear("\r\n").starts_with("HTTP/1.1 401"));
}

TEST_F(ServerTest, AnswersUnknownPathsAndMethodsAsProblems) {
  start();
  auto to = client();
  const auto missing = to.send(Request::make("GET", "/v1/nothing"), soon());
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(error_of(*missing).code(), Code::kNotFound);
  const auto wrong = to.send(Request::make("DELETE", "/v1/functions/a"), soon());
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->status, 405);
  EXPECT_EQ(wrong->headers.get("Allow"), "GET, HEAD, OPTIONS");
  const auto asked = to.send(Request::make("OPTIONS", "/v1/functions/a"), soon());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->status, 204);
  EXPECT_EQ(asked->headers.get("Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(ServerTest, GivesProblemsTheFormThatItIsTold) {
  start({.reshape_problem = [](std::string_view path, Response& problem) {
    problem.body = to_bytes(fmt::format("{}: {}", path, error_of(problem).message()));
    problem.content_type = "text/plain";
  }});
  const auto missing = client().send(Request::make("GET", "/nowhere"), soon());
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(missing->content_type, "text/plain");
  EXPECT_EQ(missing->text(), "/nowhere: no resource has this path");
  const auto refused = client("").send(Request::make("GET", "/v1/wait"), soon());
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  EXPECT_TRUE(refused->headers.has("WWW-Authenticate"));
  EXPECT_EQ(client().send(Request::make("GET", "/healthz"), soon())->text(), "ok");
}

TEST_F(ServerTest, AnswersHeadWithTheLengthAlone) {
  start();
  auto to = client();
  const auto response = to.send(Request::make("HEAD", "/healthz"), soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.get("Content-Length"), "2");
  EXPECT_TRUE(response->body.empty());
  EXPECT_EQ(to.send(Request::make("GET", "/healthz"), soon())->text(), "ok");
}

TEST_F(ServerTest, ServesPipelinedRequestsInOrder) {
  start();
  auto to = peer();
  to.say(head("GET /v1/functions/a") + head("GET /v1/functions/b") +
         head("GET /v1/functions/c", "Connection: close\r\n"));
  const auto all = to.hear_all();
  const auto a = all.find("get a");
  const auto b = all.find("get b");
  const auto c = all.find("get c");
  EXPECT_TRUE(a < b && b < c && c != std::string::npos) << all;
}

TEST_F(ServerTest, KeepsTheConnectionOfAnOldPeerOnlyIfAsked) {
  start();
  auto to = peer();
  to.say("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(to.hear("\r\n\r\nok").find("Connection: keep-alive"), std::string::npos);
  to.say("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(to.hear_all().ends_with("ok"));
}

TEST_F(ServerTest, StreamsAnswersOfUnknownLength) {
  start();
  auto to = client();
  std::string text;
  const auto response = to.send(Request::make("GET", "/v1/logs"), soon(), [&text](BytesView part) -> Status {
    text += as_text(part);
    return {};
  });
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.get("Transfer-Encoding"), "chunked");
  EXPECT_EQ(text, "line 0\nline 1\nline 2\n");
  auto old = peer();
  old.say(fmt::format("GET /v1/logs HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n", kToken));
  EXPECT_TRUE(old.hear_all().ends_with("\r\n\r\nline 0\nline 1\nline 2\n"));
}

TEST_F(ServerTest, StreamsBodiesToTheirHandler) {
  start();
  auto to = client();
  auto request = Request::make("PUT", "/v1/artefacts", std::string(300'000, 'x'));
  EXPECT_EQ(to.send(request, soon())->text(), "300000");
  auto by_chunks = peer();
  by_chunks.say(head("PUT /v1/artefacts", "Transfer-Encoding: chunked\r\n") + "5\r\nabcde\r\n3\r\nfgh\r\n");
  by_chunks.say("0\r\nAuthorization: late\r\n\r\n" + head("GET /healthz"));
  EXPECT_TRUE(by_chunks.hear("\r\n\r\n8").ends_with("8"));
  EXPECT_TRUE(by_chunks.hear("\r\n\r\nok").ends_with("ok"));
}

TEST_F(ServerTest, UploadsWithoutHoldingTheBody) {
  start();
  auto to = client();
  auto request = Request::make("PUT", "/v1/artefacts");
  request.upload = Upload{.size = 1'000'000, .read = [](std::span<std::uint8_t> into) -> Result<std::size_t> {
                            std::ranges::fill(into, std::uint8_t{7});
                            return into.size();
                          }};
  const auto response = to.send(std::move(request), soon());
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->text(), "1000000");
}

TEST_F(ServerTest, SetsCancelledWhenThePeerDisconnects) {
  start();
  {
    auto to = peer();
    to.say(head("GET /v1/wait"));
    ASSERT_TRUE(entered.wait());
  }
  EXPECT_TRUE(cancelled.wait());
  leave.open();
}

TEST_F(ServerTest, TurnsExceptionsOfHandlersIntoInternalErrors) {
  Server server_of_thrower({.authenticate = single_token(kToken)});
  server_of_thrower.add("GET", "/throw", [](const Request&) -> Response { throw std::runtime_error("secret"); });
  ASSERT_TRUE(server_of_thrower.start());
  Client to({.host = "127.0.0.1", .port = server_of_thrower.port(), .token = kToken});
  const auto response = to.send(Request::make("GET", "/throw"), soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->text().find("secret"), std::string_view::npos);
}

TEST_F(ServerTest, KeepsFieldsOfHandlersFromStartingOtherFields) {
  Server splitter({.authenticate = single_token(kToken)});
  splitter.add("GET", "/split", [](const Request&) {
    auto response = Response::plain(200, "x");
    response.headers.add("X-A", "1\r\nX-B: 2");
    return response;
  });
  ASSERT_TRUE(splitter.start());
  Client to({.host = "127.0.0.1", .port = splitter.port(), .token = kToken});
  const auto response = to.send(Request::make("GET", "/split"), soon());
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->headers.has("X-B"));
  EXPECT_EQ(response->headers.get("X-A"), "1??X-B: 2");
}

TEST_F(ServerTest, StopLetsARunningHandlerFinish) {
  start();
  auto to = peer();
  to.say(head("GET /v1/wait"));
  ASSERT_TRUE(entered.wait());
  std::jthread stopping([this] { server->stop(); });
  // The listener closes first: wait until it refuses.
  while (ClientSocket::connect("127.0.0.1", server->port(), soon())) std::this_thread::yield();
  leave.open();
  const auto answer = to.hear_all();
  EXPECT_TRUE(answer.ends_with("done")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(ServerTest, StopCancelsHandlersThatOutlastItsTimeout) {
  start({.stop_timeout = std::chrono::milliseconds(20)});
  auto to = peer();
  to.say(head("GET /v1/wait"));
  ASSERT_TRUE(entered.wait());
  std::jthread stopping([this] { server->stop(); });
  EXPECT_TRUE(cancelled.wait());
  leave.open();
  EXPECT_TRUE(to.ends());
}

TEST_F(ServerTest, StopEndsIdleConnectionsAndIsIdempotent) {
  start();
  auto to = peer();
  to.say(head("GET /healthz"));
  EXPECT_FALSE(to.hear("\r\n\r\nok").empty());
  server->stop();
  server->stop();
  EXPECT_TRUE(to.ends());
  EXPECT_EQ(server->start().error().code(), Code::kFailedPrecondition);
}

TEST_F(ServerTest, RefusesOtherAddressesThanLoopback) {
  for (const auto* address : {"0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1", "example.org", ""}) {
    Server open({.address = address, .authenticate = single_token(kToken)});
    const auto status = open.start();
    ASSERT_FALSE(status) << address;
    EXPECT_EQ(status.error().code(), Code::kInvalidArgument);
    EXPECT_NE(status.error().message().find("loopback"), std::string::npos);
  }
  Server v6({.address = "::1", .authenticate = single_token(kToken)});
  const auto status = v6.start();
  EXPECT_TRUE(status || status.error().code() == Code::kUnavailable); // a machine may lack IPv6
}

TEST_F(ServerTest, SaysWhenThePortIsTakenOrARouteIsWrong) {
  start();
  Server second({.port = server->port(), .authenticate = single_token(kToken)});
  EXPECT_EQ(second.start().error().code(), Code::kUnavailable);
  Server wrong({.authenticate = single_token(kToken)});
  wrong.add("GET", "/{a...}/{b...}", [](const Request&) { return Response(); });
  EXPECT_EQ(wrong.start().error().code(), Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::http
