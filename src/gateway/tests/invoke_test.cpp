#include "gateway/invoke.hpp"

#include "gateway/stream.hpp"

#include "base/ids.hpp"
#include "gateway/tests/client_world.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::gateway {
namespace {

using testing::HasSubstr;

http::Request request_with(http::Parameters query) {
  http::Request request;
  request.query = std::move(query);
  return request;
}

std::string refusal(http::Parameters query) {
  const auto options = options_of(request_with(std::move(query)));
  if (options) return "admitted";
  EXPECT_EQ(options.error().code(), Code::kInvalidArgument);
  return options.error().message();
}

TEST(OptionsOf, AreTheDefaultsWithoutParameters) {
  const auto options = options_of(request_with({}));
  ASSERT_TRUE(options);
  EXPECT_EQ(options->protection, Protection::kEae);
  EXPECT_EQ(options->timeout, CallOptions().timeout);
  EXPECT_EQ(options->cluster, "");
  EXPECT_EQ(options->task_id, "");
  EXPECT_EQ(options->content_type, "application/octet-stream");
}

TEST(OptionsOf, AreWhatTheRequestSays) {
  auto request =
      request_with({{"timeout", "1500ms"}, {"protection", "none"}, {"cluster", "west"}, {"assurance", "hardware"}});
  const auto task = make_uuid();
  request.headers.add("idempotency-key", task);
  request.headers.add("Content-Type", "image/png");
  request.headers.add("Tcfdl-Priority", "low");
  const auto options = options_of(request);
  ASSERT_TRUE(options) << options.error().to_string();
  EXPECT_EQ(options->timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(options->protection, Protection::kNone);
  EXPECT_EQ(options->cluster, "west");
  EXPECT_EQ(options->assurance, "hardware");
  EXPECT_EQ(options->task_id, task);
  EXPECT_EQ(options->content_type, "image/png");
  EXPECT_EQ(options->priority, Priority::kLow);
  request.headers.set("Tcfdl-Priority", "urgent");
  EXPECT_THAT(options_of(request).error().message(), HasSubstr("'urgent'"));
}

TEST(OptionsOf, RefusesWhatItDoesNotUnderstand) {
  EXPECT_THAT(refusal({{"timeout", "5"}}), HasSubstr("'5'"));
  EXPECT_THAT(refusal({{"timeout", "-5s"}}), HasSubstr("'-5s'"));
  EXPECT_THAT(refusal({{"protection", "tls"}}), HasSubstr("tls"));
  EXPECT_THAT(refusal({{"protection", ""}}), testing::Ne("admitted"));
  EXPECT_THAT(refusal({{"cluster", "../west"}}), HasSubstr("cluster"));
  EXPECT_THAT(refusal({{"assurance", "best"}}), HasSubstr("'best'"));
  EXPECT_THAT(refusal({{"time_out", "5s"}}), HasSubstr("'time_out'"));
}

/// Answers with the body it got, or with an error.
class FakeClient final : public Client {
public:
  using Client::call;
  /// Gives a word, and the body when somebody has had the word.
  Result<CallReport> call(const std::string& name, BodyReader& body, BodyWriter& result,
                          const CallOptions& given) override {
    function = name;
    options = given;
    if (error) return *error;
    Bytes piece(100);
    TCFDL_ASSIGN(const auto size, body.read(piece));
    TCFDL_TRY(result.write(as_bytes("first ")));
    if (heard.get_future().wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      return Error(Code::kDeadlineExceeded, "nobody had the first piece");
    }
    if (late_error) return *late_error;
    TCFDL_TRY(result.write(BytesView(piece).first(size)));
    return CallReport();
  }

  std::promise<void> heard;
  std::optional<Error> late_error;
  std::string function;
  CallOptions options;
  bool could_cancel = false;
  std::optional<Error> error;

protected:
  Result<CallResult> call_whole(const std::string& name, BytesView body, const CallOptions& given) override {
    function = name;
    options = given;
    could_cancel = given.cancel.stop_possible();
    if (error) return *error;
    CallResult result;
    result.body.assign(body.begin(), body.end());
    result.report.task_id = "t-1";
    result.report.function = name;
    result.report.cluster = "west";
    result.report.node = "w1";
    result.report.instance = "plates-1";
    result.report.tee_kind = "software";
    result.report.run_us = 1500;
    return result;
  }
};

class InvokeRouteTest : public testing::Test {
protected:
  InvokeRouteTest() {
    add_invoke_route(server_, {client_, callers_, figures_});
    add_stream_route(server_, client_, callers_);
    started_ = bool(server_.start());
  }
  http::Response post(const std::string& target, const std::string& body = "hello", const std::string& token = kToken) {
    http::Client http({.host = "127.0.0.1", .port = server_.port(), .token = token});
    auto response =
        http.send(http::Request::make("POST", target, body, "text/plain"), Deadline::after(std::chrono::seconds(20)));
    EXPECT_TRUE(response) << response.error().to_string();
    return response.value_or(http::Response());
  }

  FakeClient client_;
  ClientWorld world_;
  CallFigures figures_;
  Callers callers_{
      {world_.authority.public_key(), world_.cluster, world_.revocations, world_.clock},
      [](const wire::Signed&, Deadline) -> Result<wire::Signed> { return Error(Code::kUnavailable, "nobody to ask"); }};
  http::Server server_{{.authenticate = http::single_token(kToken)}};
  bool started_ = false;
};

/// What a streamed call gave; `status` is its answer's, 0 where that broke off.
struct Streamed {
  int status = 0;
  std::string text;
};

Streamed stream_from(std::uint16_t port, FakeClient& client) {
  http::Client http({.host = "127.0.0.1", .port = port, .token = kToken});
  Streamed streamed;
  const auto sink = [&](BytesView piece) -> Status {
    if (streamed.text.empty()) client.heard.set_value();
    streamed.text += as_text(piece);
    return {};
  };
  const auto response = http.call(http::Request::make("POST", "/v1/functions/plates/read/stream?timeout=7s", "body"),
                                  Deadline::after(std::chrono::seconds(20)), sink);
  if (response) streamed.status = response->status;
  return streamed;
}

TEST_F(InvokeRouteTest, StreamsAResultWhileItIsMade) {
  ASSERT_TRUE(started_);
  const auto streamed = stream_from(server_.port(), client_);
  EXPECT_EQ(streamed.status, 200);
  EXPECT_EQ(streamed.text, "first body");
  EXPECT_EQ(client_.function, "plates/read");
  EXPECT_EQ(client_.options.timeout, std::chrono::seconds(7));
}

TEST_F(InvokeRouteTest, BreaksAStreamOffThatFailedAfterItsBegin) {
  ASSERT_TRUE(started_);
  client_.late_error = Error(Code::kInternal, "the handler threw");
  const auto streamed = stream_from(server_.port(), client_);
  EXPECT_EQ(streamed.status, 0);
  EXPECT_EQ(streamed.text, "first ");
}

TEST_F(InvokeRouteTest, AnswersAStreamThatFailedBeforeItsBeginWithTheProblem) {
  ASSERT_TRUE(started_);
  client_.error = Error(Code::kNotFound, "no such function");
  const auto response = post("/v1/functions/plates/read/stream");
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.text(), HasSubstr("no such function"));
}

TEST_F(InvokeRouteTest, CallsTheFunctionAndGivesItsResultAndReport) {
  ASSERT_TRUE(started_);
  const auto response = post("/v1/functions/plates/read/invoke?timeout=7s");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.text(), "hello");
  EXPECT_EQ(response.headers.get("Tcfdl-Task-Id"), "t-1");
  EXPECT_EQ(response.headers.get("Tcfdl-Cluster"), "west");
  EXPECT_EQ(response.headers.get("Tcfdl-Instance"), "plates-1");
  EXPECT_EQ(response.headers.get("Tcfdl-Protection"), "eae");
  EXPECT_THAT(response.headers.get("Server-Timing"), HasSubstr("run;dur=1.500"));
  EXPECT_EQ(client_.function, "plates/read");
  EXPECT_EQ(client_.options.timeout, std::chrono::seconds(7));
  EXPECT_EQ(client_.options.content_type, "text/plain");
  EXPECT_TRUE(client_.could_cancel) << "a caller that goes away cancels";
}

TEST_F(InvokeRouteTest, TellsErrorsAsProblems) {
  client_.error = Error(Code::kNotFound, "there is no function echo");
  const auto response = post("/v1/functions/echo/invoke");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_THAT(std::string(response.text()), HasSubstr("there is no function echo"));
  client_.error = Error(Code::kResourceExhausted, "the queue is full");
  client_.error->set_retry_after(std::chrono::milliseconds(2500));
  const auto full = post("/v1/functions/echo/invoke");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.headers.get("Retry-After"), "3");
  EXPECT_FALSE(client_.options.retry_busy) << "who waits is the caller";
}

TEST_F(InvokeRouteTest, CallsNothingForARequestThatItRefuses) {
  EXPECT_EQ(post("/v1/functions/echo/invoke", "x", "another token").status, 401);
  EXPECT_EQ(post("/v1/functions/ECHO/invoke").status, 400);
  EXPECT_EQ(post("/v1/functions/echo/invoke?unknown=1").status, 400);
  EXPECT_EQ(post("/v1/functions/echo").status, 404);
  EXPECT_EQ(client_.function, "");
}

/// The same route in TLS, for who shows the certificate of a client.
class InvokeByCertificate : public InvokeRouteTest {
protected:
  void SetUp() override {
    http::ServerSettings settings{.authenticate = http::single_token(kToken)};
    settings.tls = world_.server_tls();
    settings.identify = [this](BytesView shown) { return callers_.identify(shown); };
    secure_ = std::make_unique<http::Server>(std::move(settings));
    add_invoke_route(*secure_, {client_, callers_, figures_});
    ASSERT_TRUE(secure_->start());
  }
  http::Response call(const std::string& function, const std::string& token = {}) {
    http::ClientSettings settings{.port = secure_->port(), .token = token};
    settings.tls = world_.client_tls();
    http::Client http(std::move(settings));
    auto response = http.send(http::Request::make("POST", "/v1/functions/" + function + "/invoke", "x"),
                              Deadline::after(std::chrono::seconds(20)));
    EXPECT_TRUE(response) << response.error().to_string();
    return response.value_or(http::Response());
  }

  std::unique_ptr<http::Server> secure_;
};

TEST_F(InvokeByCertificate, CallsWhatIsGrantedInTheNameOfTheClient) {
  EXPECT_EQ(call("plates/read").status, 200);
  EXPECT_EQ(client_.options.on_behalf_of, "anna");
  client_.function.clear();
  const auto refused = call("echo");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(std::string(refused.text()), HasSubstr("anna has no grant to call echo"));
  EXPECT_EQ(client_.function, "") << "nothing left the gateway";
}

TEST_F(InvokeByCertificate, ATokenCountsBeforeACertificate) {
  EXPECT_EQ(call("echo", kToken).status, 200);
  EXPECT_EQ(client_.options.on_behalf_of, "");
  EXPECT_EQ(call("plates/read", "another token").status, 401);
}

TEST_F(InvokeByCertificate, IsRefusedForARevokedClient) {
  world_.revoke({}, true);
  EXPECT_EQ(call("plates/read").status, 401);
  EXPECT_EQ(client_.function, "");
}

} // namespace
} // namespace tcfdl::gateway
