#include "api_service/tests/fakes.hpp"

namespace tcfdl::api_service {
namespace {

using ArtefactRoutes = ApiTest;

const std::string kDigest(64, 'a');
const std::string kTarget = "/v1/artefacts/" + kDigest;

http::Request put(const std::string& target, std::string_view content) {
  return http::Request::make("PUT", target, content, "application/octet-stream");
}

TEST_F(ArtefactRoutes, AreStoredOnceAndGivenBack) {
  EXPECT_EQ(send(http::Request::make("HEAD", kTarget)).status, 404);
  EXPECT_EQ(send(put(kTarget, "a content")).status, 201);
  EXPECT_EQ(send(put(kTarget, "a content")).status, 200);
  EXPECT_EQ(send(http::Request::make("HEAD", kTarget)).status, 200);
  EXPECT_EQ(get(kTarget).text(), "a content");
}

TEST_F(ArtefactRoutes, AreRefusedUnderAnotherDigest) {
  const auto response = send(put(kTarget, "b content"));
  EXPECT_EQ(document(response)["code"], "INVALID_ARGUMENT");
  EXPECT_TRUE(artefacts.files.empty());
}

TEST_F(ArtefactRoutes, AreRefusedAboveTheLimit) {
  EXPECT_EQ(send(put(kTarget, std::string(1000, 'a'))).status, 201);
  artefacts.files.clear();
  EXPECT_EQ(send(put(kTarget, std::string(1001, 'a'))).status, 413);
  EXPECT_TRUE(artefacts.files.empty());
}

TEST_F(ArtefactRoutes, WantADigestAsName) {
  for (const auto& name :
       {std::string("abc"), std::string(64, 'A'), std::string(64, 'g'), "..%2F" + std::string(59, 'a')}) {
    EXPECT_EQ(get("/v1/artefacts/" + name).status, 400) << name;
    EXPECT_EQ(send(put("/v1/artefacts/" + name, "a")).status, 400) << name;
  }
}

} // namespace
} // namespace tcfdl::api_service
