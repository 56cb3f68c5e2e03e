#include "gateway/invoke.hpp"

#include "base/ids.hpp"
#include "http/client.hpp"

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
  const auto options = options_of(request);
  ASSERT_TRUE(options) << options.error().to_string();
  EXPECT_EQ(options->timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(options->protection, Protection::kNone);
  EXPECT_EQ(options->cluster, "west");
  EXPECT_EQ(options->assurance, "hardware");
  EXPECT_EQ(options->task_id, task);
  EXPECT_EQ(options->content_type, "image/png");
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
  Result<CallReport> call(const std::string&, BodyReader&, BodyWriter&, const CallOptions&) override {
    return Error(Code::kUnimplemented, "whole bodies only");
  }

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

constexpr auto kToken = "0123456789abcdef";

class InvokeRouteTest : public testing::Test {
protected:
  InvokeRouteTest() {
    add_invoke_route(server_, client_);
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
  http::Server server_{{.authenticate = http::single_token(kToken)}};
  bool started_ = false;
};

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
  EXPECT_EQ(post("/v1/functions/echo/invoke").status, 429);
}

TEST_F(InvokeRouteTest, CallsNothingForARequestThatItRefuses) {
  EXPECT_EQ(post("/v1/functions/echo/invoke", "x", "another token").status, 401);
  EXPECT_EQ(post("/v1/functions/ECHO/invoke").status, 400);
  EXPECT_EQ(post("/v1/functions/echo/invoke?unknown=1").status, 400);
  EXPECT_EQ(post("/v1/functions/echo").status, 404);
  EXPECT_EQ(client_.function, "");
}

} // namespace
} // namespace tcfdl::gateway
