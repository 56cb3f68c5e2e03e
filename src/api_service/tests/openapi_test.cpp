#include "api_service/routes.hpp"
#include "api_service/tests/fakes.hpp"

namespace tcfdl::api_service {
namespace {

using OpenApi = ApiTest;

std::string upper(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

TEST_F(OpenApi, IsServedToEverybody) {
  const auto response = send(http::Request::make("GET", "/v1/openapi.json"), "");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(document(response)["openapi"], "3.1.0");
}

TEST_F(OpenApi, DescribesRoutesThatExist) {
  const auto paths = Json::parse(openapi_document())["paths"];
  for (const auto& [path, item] : paths.items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      const auto response =
          send(http::Request::make(upper(method), path == "/v1/artefacts/{sha256}" ? "/v1/artefacts/x" : path));
      EXPECT_NE(response.status, 404) << method << ' ' << path;
      EXPECT_NE(response.status, 405) << method << ' ' << path;
    }
  }
}

} // namespace
} // namespace tcfdl::api_service
