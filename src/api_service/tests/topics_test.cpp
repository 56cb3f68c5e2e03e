#include "api_service/tests/fakes.hpp"
#include "base/encoding.hpp"

namespace tcfdl::api_service {
namespace {

class TopicRoutes : public ApiTest {
protected:
  static std::string body(const std::string& statement) {
    wire::Signed descriptor;
    descriptor.set_statement(statement);
    return Json{{"descriptor", to_base64url(wire::serialize(descriptor))}}.dump();
  }
};

TEST_F(TopicRoutes, ATopicIsMadeShownAndDeleted) {
  EXPECT_EQ(post("/v1/topics", body("as signed")).status, 201);
  EXPECT_EQ(topics.put.statement(), "as signed");
  EXPECT_EQ(document(get("/v1/topics"))["topics"][0]["name"], "plates/seen");
  EXPECT_EQ(document(get("/v1/topics/plates%2Fseen"))["name"], "plates/seen");
  EXPECT_EQ(send(http::Request::make("DELETE", "/v1/topics/plates%2Fseen")).status, 204);
  EXPECT_EQ(get("/v1/topics/plates%2Fseen").status, 404);
}

TEST_F(TopicRoutes, WhatIsNoDescriptorIsRefused) {
  EXPECT_EQ(post("/v1/topics", "{}").status, 400);
  EXPECT_EQ(post("/v1/topics", R"({"descriptor": "not base64!"})").status, 400);
  EXPECT_EQ(post("/v1/topics", R"({"descriptor": "", "more": 1})").status, 400);
  EXPECT_FALSE(topics.there);
}

TEST_F(TopicRoutes, NeedADeployer) {
  EXPECT_EQ(send(http::Request::make("POST", "/v1/topics", body("x")), "caller").status, 403);
  EXPECT_EQ(send(http::Request::make("DELETE", "/v1/topics/plates%2Fseen"), "caller").status, 403);
  EXPECT_EQ(send(http::Request::make("GET", "/v1/topics"), "viewer").status, 200);
}

} // namespace
} // namespace tcfdl::api_service
