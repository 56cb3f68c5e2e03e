#include "api_service/tests/fakes.hpp"

namespace tcfdl::api_service {
namespace {

using ApiRoutes = ApiTest;

TEST_F(ApiRoutes, TellsHealthWithoutAToken) {
  const auto healthy = send(http::Request::make("GET", "/healthz"), "");
  EXPECT_EQ(healthy.status, 200);
  EXPECT_EQ(document(healthy), (Json{{"status", "ok"}, {"cluster", "roadside"}}));
  health.value = HealthState::kFallback;
  EXPECT_EQ(document(get("/healthz"))["status"], "fallback");
  health.value = HealthState::kFatal;
  EXPECT_EQ(get("/healthz").status, 503);
}

TEST_F(ApiRoutes, WantsTheTokenForEverythingElse) {
  for (const auto* target : {"/metrics", "/v1/status", "/v1/functions", "/v1/functions/plates/read"}) {
    EXPECT_EQ(send(http::Request::make("GET", target), "").status, 401) << target;
    EXPECT_EQ(send(http::Request::make("GET", target), "other").status, 401) << target;
    EXPECT_EQ(get(target).status, 200) << target;
  }
}

TEST_F(ApiRoutes, GivesMetricsAsPlainText) {
  const auto response = get("/metrics");
  EXPECT_EQ(response.text(), "tcfdl_tasks_total 3\n");
  EXPECT_TRUE(response.content_type.starts_with("text/plain; version=0.0.4"));
}

TEST_F(ApiRoutes, TellsAPortsErrorAsAProblem) {
  cluster.failure = Error(Code::kUnavailable, "no message queue");
  const auto response = get("/v1/status");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(document(response)["code"], "UNAVAILABLE");
  EXPECT_EQ(document(response)["detail"], "no message queue");
  EXPECT_EQ(document(response)["instance"], "/v1/status");
}

TEST_F(ApiRoutes, AsksForAttestationResultsWithTheNonceInBytes) {
  EXPECT_EQ(document(get("/v1/attestation/w1?nonce=0102")), (Json{{"subject", "w1"}, {"token", "0102"}}));
  EXPECT_EQ(document(get("/v1/attestation/w1"))["token"], "");
  EXPECT_EQ(document(post("/v1/nodes/w1/drain", "{}")), (Json{{"node", "w1"}, {"drained", true}}));
  EXPECT_EQ(document(post("/v1/nodes/w1/resume", "{}")), (Json{{"node", "w1"}, {"drained", false}}));
  EXPECT_EQ(get("/v1/attestation/w1?nonce=xyz").status, 400);
  cluster.failure = Error(Code::kPermissionDenied, "tee: kind 'software'");
  EXPECT_EQ(get("/v1/attestation/w1").status, 403);
}

TEST_F(ApiRoutes, RefusesTaskCallsUnreadAndNamesTheGateway) {
  auto request = http::Request::make("POST", "/v1/functions/plates/read/invoke");
  // A body that never comes: the answer is there before it.
  request.upload =
      http::Upload{.size = std::uint64_t{1} << 40U, .read = [](std::span<std::uint8_t>) -> Result<std::size_t> {
                     return Error(Code::kInternal, "the body was asked for");
                   }};
  const auto response = send(std::move(request), "the gateway's token");
  EXPECT_EQ(document(response)["code"], "FAILED_PRECONDITION");
  EXPECT_EQ(document(response)["detail"], "task calls end in the gateway, at http://127.0.0.1:7777");
}

} // namespace
} // namespace tcfdl::api_service
