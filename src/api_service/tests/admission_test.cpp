#include "api_service/tests/fakes.hpp"
#include "base/encoding.hpp"

namespace tcfdl::api_service {
namespace {

using Admission = ApiTest;

TEST_F(Admission, MakesTokens) {
  const auto response = post("/v1/tokens", R"({"role":"client","lifetime_s":60,"grants":["plates/*"]})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(document(response), (Json{{"token", "secret"}, {"expires", 1234}}));
  ASSERT_TRUE(tokens.last);
  EXPECT_EQ(tokens.last->role, wire::ROLE_CLIENT);
  EXPECT_EQ(tokens.last->lifetime, std::chrono::seconds(60));
  EXPECT_EQ(tokens.last->grants, std::vector<std::string>{"plates/*"});
}

TEST_F(Admission, MakesTokensOfOtherMasters) {
  EXPECT_EQ(post("/v1/tokens", R"({"role":"master","cluster":"vehicle"})").status, 201);
  EXPECT_EQ(tokens.last->cluster, "vehicle");
}

TEST_F(Admission, RefusesTokensThatNobodyMayHave) {
  for (const auto* body :
       {R"({"role":"gateway"})", R"({})", R"({"role":"worker","cluster":"b"})", R"({"role":"worker","grants":["*"]})",
        R"({"role":"worker","lifetime_s":0})", R"({"role":"master","cluster":"../b"})", R"({"role":"worker","x":1})"}) {
    EXPECT_EQ(post("/v1/tokens", body).status, 400) << body;
  }
  EXPECT_FALSE(tokens.last);
}

TEST_F(Admission, PassesEnrolmentsOn) {
  wire::AuthorityRequest request;
  request.mutable_enrol()->set_name("jane");
  const auto response = post("/v1/enrol", Json{{"request", to_base64url(wire::serialize(request))}}.dump());
  ASSERT_EQ(response.status, 200) << response.text();
  const auto bytes = from_base64url(document(response)["reply"].get<std::string>());
  ASSERT_TRUE(bytes);
  const auto reply = wire::parse<wire::AuthorityReply>(*bytes);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->enrol().authority_key(), "jane");
}

TEST_F(Admission, GivesClientsTheirCertificateOfNow) {
  wire::Signed present;
  present.set_statement("anna");
  const auto response = post("/v1/certificate", Json{{"certificate", to_base64url(wire::serialize(present))}}.dump());
  EXPECT_EQ(response.status, 200) << response.text();
  EXPECT_EQ(document(response)["certificate"], "anna");
  for (const auto* body : {R"({})", R"({"certificate":"****"})", R"({"certificate":"","more":1})"}) {
    EXPECT_EQ(post("/v1/certificate", body).status, 400) << body;
  }
}

TEST_F(Admission, RevokesNodes) {
  for (const auto* body : {R"({})", R"({"node":"../w"})", R"({"node":"w","x":1})"}) {
    EXPECT_EQ(post("/v1/revocations", body).status, 400) << body;
  }
  EXPECT_EQ(enrolment.revoked, "");
  EXPECT_EQ(post("/v1/revocations", R"({"node":"worker-1"})").status, 201);
  EXPECT_EQ(enrolment.revoked, "worker-1");
}

TEST_F(Admission, ChangesGrantsForAdminsAlone) {
  for (const auto* body : {R"({"add":["x"]})", R"({"client":"bob"})", R"({"client":"../b","add":["x"]})",
                           R"({"client":"bob","add":"x"})", R"({"client":"bob","add":["x"],"more":1})"}) {
    EXPECT_EQ(post("/v1/grants", body).status, 400) << body;
  }
  EXPECT_EQ(post("/v1/grants", R"({"client":"eve","add":["x"]})").status, 404);
  const auto response = post("/v1/grants", R"({"client":"bob","add":["x","y/*"],"remove":["z"]})");
  EXPECT_EQ(response.status, 200) << response.text();
  EXPECT_EQ(document(response)["grants"], Json::array({"echo"}));
  EXPECT_EQ(enrolment.changed.add_size(), 2);
  EXPECT_EQ(enrolment.changed.remove(0), "z");
  EXPECT_EQ(document(get("/v1/clients"))["clients"][0]["name"], "bob");
  auto request = http::Request::make("POST", "/v1/grants", R"({"client":"bob","add":["x"]})");
  EXPECT_EQ(send(std::move(request), "deployer").status, 403);
  EXPECT_EQ(send(http::Request::make("GET", "/v1/clients"), "deployer").status, 403);
}

TEST_F(Admission, RefusesOtherRequestsToTheAuthority) {
  wire::AuthorityRequest request;
  request.mutable_create_token()->set_role(wire::ROLE_MASTER);
  EXPECT_EQ(post("/v1/enrol", Json{{"request", to_base64url(wire::serialize(request))}}.dump()).status, 400);
  EXPECT_EQ(post("/v1/enrol", R"({"request":"****"})").status, 400);
}

} // namespace
} // namespace tcfdl::api_service
