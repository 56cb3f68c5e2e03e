#include "api_service/tests/fakes.hpp"

namespace tcfdl::api_service {
namespace {

using AccessRoutes = ApiTest;

struct Rule {
  const char* method;
  const char* target;
  Level least;
};

TEST_F(AccessRoutes, LetEachRoleDoItsWorkAndNoMore) {
  const std::vector<Rule> rules{{"GET", "/metrics", Level::kViewer},
                                {"GET", "/v1/status", Level::kViewer},
                                {"GET", "/v1/attestation/w1", Level::kViewer},
                                {"GET", "/v1/functions", Level::kViewer},
                                {"GET", "/v1/functions/a/b", Level::kViewer},
                                {"POST", "/v1/enrol", Level::kViewer},
                                {"GET", "/v1/functions/a/b/logs", Level::kDeployer},
                                {"POST", "/v1/functions", Level::kDeployer},
                                {"DELETE", "/v1/functions/a/b", Level::kDeployer},
                                {"PUT", "/v1/artefacts/x", Level::kDeployer},
                                {"GET", "/v1/artefacts/x", Level::kDeployer},
                                {"POST", "/v1/tokens", Level::kAdmin},
                                {"GET", "/v1/access", Level::kAdmin},
                                {"POST", "/v1/access", Level::kAdmin},
                                {"DELETE", "/v1/access/ann", Level::kAdmin},
                                {"POST", "/v1/nodes/w1/drain", Level::kAdmin},
                                {"POST", "/v1/nodes/w1/resume", Level::kAdmin},
                                {"GET", "/v1/audit", Level::kAdmin}};
  const std::vector<std::pair<const char*, Level>> callers{
      {"viewer", Level::kViewer}, {"caller", Level::kCaller}, {"deployer", Level::kDeployer}, {"t0ken", Level::kAdmin}};
  for (const auto& rule : rules) {
    for (const auto& [token, level] : callers) {
      const auto status = send(http::Request::make(rule.method, rule.target, "{}"), token).status;
      EXPECT_EQ(status == 403, level < rule.least) << token << ' ' << rule.method << ' ' << rule.target;
      EXPECT_NE(status, 401);
    }
    EXPECT_EQ(send(http::Request::make(rule.method, rule.target, "{}"), "nobody").status, 401) << rule.target;
  }
}

TEST_F(AccessRoutes, GiveAccessByNameRoleAndLifetime) {
  const auto response = post("/v1/access", R"({"name": "ann", "role": "viewer", "lifetime_s": 60})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(document(response)["token"], "secret");
  ASSERT_TRUE(access.last);
  EXPECT_EQ(access.last->name, "ann");
  EXPECT_EQ(access.last->lifetime, std::chrono::seconds(60));
  EXPECT_EQ(post("/v1/access", R"({"name": "ann"})").status, 400);
  EXPECT_EQ(post("/v1/access", R"({"name": "ann", "role": "viewer", "lifetime_s": 0})").status, 400);
}

TEST_F(AccessRoutes, ListRevokeAndTellRecords) {
  EXPECT_EQ(document(get("/v1/access"))["access"][0]["name"], "ann");
  EXPECT_EQ(send(http::Request::make("DELETE", "/v1/access/ann")).status, 204);
  EXPECT_EQ(send(http::Request::make("DELETE", "/v1/access/bob")).status, 404);
  EXPECT_EQ(document(get("/v1/audit?limit=7"))["records"][0]["number"], 7);
  EXPECT_EQ(get("/v1/audit?limit=0").status, 400);
}

} // namespace
} // namespace tcfdl::api_service
