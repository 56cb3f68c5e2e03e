#include "api_service/tests/fakes.hpp"
#include "base/encoding.hpp"

namespace tcfdl::api_service {
namespace {

using FunctionRoutes = ApiTest;

Json deployment() {
  wire::Signed descriptor;
  descriptor.set_statement("statement");
  descriptor.set_signature("signature");
  return {{"descriptor", to_base64url(wire::serialize(descriptor))}, {"manifest", R"({"format":1})"}};
}

TEST_F(FunctionRoutes, AreListedAndShownByNamesWithSlashes) {
  EXPECT_EQ(document(get("/v1/functions"))["functions"][0]["name"], "plates/read");
  EXPECT_EQ(document(get("/v1/functions/plates/read"))["name"], "plates/read");
  EXPECT_EQ(document(get("/v1/functions/plates%2Fread"))["name"], "plates/read");
}

TEST_F(FunctionRoutes, AreNotFoundAndMisnamedAsProblems) {
  EXPECT_EQ(get("/v1/functions/other").status, 404);
  const auto misnamed = get("/v1/functions/UPPER");
  EXPECT_EQ(misnamed.status, 400);
  EXPECT_EQ(document(misnamed)["code"], "INVALID_ARGUMENT");
}

TEST_F(FunctionRoutes, AreDeployedWithTheirSettings) {
  auto body = deployment();
  body["settings"] = {{"scale", {{"min", 2}, {"max", 5}, {"response_time_ms", 250}}},
                      {"resources",
                       {{"memory", "512MiB"},
                        {"enclave_memory", "64MiB"},
                        {"millicores", 1500},
                        {"most_millicores", 2000},
                        {"processes", 64}}},
                      {"labels", {{"zone", "a"}}}};
  const auto response = post("/v1/functions", body.dump());
  EXPECT_EQ(response.status, 201) << response.text();
  ASSERT_TRUE(functions.last);
  EXPECT_EQ(functions.last->unverified_descriptor.statement(), "statement");
  EXPECT_EQ(functions.last->manifest, R"({"format":1})");
  EXPECT_EQ(functions.last->settings.least, 2U);
  EXPECT_EQ(functions.last->settings.most, 5U);
  EXPECT_EQ(functions.last->settings.memory, 512ULL << 20U);
  EXPECT_EQ(functions.last->settings.response_time_ms, 250U);
  EXPECT_EQ(functions.last->settings.enclave_memory, 64ULL << 20U);
  EXPECT_EQ(functions.last->settings.millicores, 1500U);
  EXPECT_EQ(functions.last->settings.most_millicores, 2000U);
  EXPECT_EQ(functions.last->settings.processes, 64U);
  EXPECT_EQ(functions.last->settings.labels.front().second, "a");
}

TEST_F(FunctionRoutes, AreDeployedWithTheKeyOfTheirConfidentialFiles) {
  EXPECT_EQ(document(get("/v1/seal-key"))["seal_key"], "AAAA");
  wire::KeyPackage package;
  package.set_sealed("sealed");
  auto body = deployment();
  body["content_key"] = to_base64url(wire::serialize(package));
  EXPECT_EQ(post("/v1/functions", body.dump()).status, 201);
  ASSERT_TRUE(functions.last->unverified_content_key);
  EXPECT_EQ(functions.last->unverified_content_key->sealed(), "sealed");
  EXPECT_EQ(post("/v1/functions", deployment().dump()).status, 201);
  EXPECT_FALSE(functions.last->unverified_content_key);
}

TEST_F(FunctionRoutes, AreDeployedAgainWith200) {
  functions.created = false;
  EXPECT_EQ(post("/v1/functions", deployment().dump()).status, 200);
  EXPECT_EQ(functions.last->settings.least, 1U);
  EXPECT_EQ(functions.last->settings.most, 1U);
}

TEST_F(FunctionRoutes, RefuseDeploymentsThatAreNotAsDescribed) {
  auto unknown = deployment();
  unknown["settings"]["scale"]["minimum"] = 1;
  auto inverted = deployment();
  inverted["settings"]["scale"] = {{"min", 3}, {"max", 2}};
  auto unit = deployment();
  unit["settings"]["resources"]["memory"] = "512 megabytes";
  auto encoding = deployment();
  encoding["descriptor"] = "not base64url!";
  auto key = deployment();
  key["content_key"] = "not base64url!";
  auto missing = deployment();
  missing.erase("manifest");
  for (const auto& body : {unknown, inverted, unit, encoding, key, missing, Json::array(), Json("text")}) {
    const auto response = post("/v1/functions", body.dump());
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_EQ(document(response)["code"], "INVALID_ARGUMENT") << body;
  }
  EXPECT_FALSE(functions.last);
  EXPECT_NE(document(post("/v1/functions", unknown.dump()))["detail"].get<std::string>().find("minimum"),
            std::string::npos);
}

TEST_F(FunctionRoutes, AreScaledByWhatIsSaidAlone) {
  EXPECT_EQ(document(post("/v1/functions/plates/read/scale", R"({"min": 0, "max": 7})"))["name"], "plates/read");
  EXPECT_EQ(functions.scaled->least, 0U);
  EXPECT_EQ(functions.scaled->most, 7U);
  EXPECT_EQ(functions.scaled->response_time_ms, std::nullopt);
  EXPECT_EQ(post("/v1/functions/plates/read/scale", R"({"response_time_ms": 200})").status, 200);
  EXPECT_EQ(functions.scaled->response_time_ms, 200U);
  EXPECT_EQ(functions.scaled->least, std::nullopt);
  functions.scaled.reset();
  for (const auto* body : {R"({"min": -1})", R"({"max": 1001})", R"({"minimum": 1})", "[]"}) {
    EXPECT_EQ(post("/v1/functions/plates/read/scale", body).status, 400) << body;
  }
  EXPECT_FALSE(functions.scaled);
  EXPECT_EQ(post("/v1/functions/other/scale", "{}").status, 404);
}

TEST_F(FunctionRoutes, AreRemoved) {
  EXPECT_EQ(send(http::Request::make("DELETE", "/v1/functions/plates/read")).status, 204);
  EXPECT_EQ(functions.removed, "plates/read");
}

TEST_F(FunctionRoutes, GiveTheirLogsWithinABound) {
  const auto line = document(get("/v1/functions/plates/read/logs?bytes=100"))["logs"][0];
  EXPECT_EQ(line, (Json{{"instance", "plates/read"}, {"text", "100"}}));
  EXPECT_EQ(document(get("/v1/functions/plates/read/logs"))["logs"][0]["text"], "65536");
  EXPECT_EQ(get("/v1/functions/plates/read/logs?bytes=0").status, 400);
  EXPECT_EQ(get("/v1/functions/plates/read/logs?bytes=99999999").status, 400);
}

TEST_F(FunctionRoutes, GiveTheirLogsAsTheyCome) {
  // One after the other, more than may follow at once.
  for (int i = 0; i < 6; ++i) {
    const auto followed = get("/v1/functions/plates/read/logs?follow=true&bytes=9");
    EXPECT_EQ(followed.status, 200);
    EXPECT_EQ(followed.content_type, "application/x-ndjson");
    EXPECT_EQ(followed.text(), "{\"instance\":\"i1\",\"text\":\"plates/read 9\"}\n"
                               "{\"instance\":\"i2\",\"text\":\"plates/read 9\"}\n"
                               "\n"
                               "{\"instance\":\"i4\",\"text\":\"plates/read 9\"}\n");
  }
  EXPECT_EQ(get("/v1/functions/kept/logs?follow=true").status, 403);
  EXPECT_EQ(get("/v1/functions/plates/read/logs?follow=yes").status, 400);
}

TEST_F(FunctionRoutes, MayBeCalledLogs) {
  EXPECT_EQ(document(get("/v1/functions/a%2Flogs"))["detail"], "no function a/logs");
}

} // namespace
} // namespace tcfdl::api_service
