#include "api_service/routes.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

namespace tcfdl::api_service {
namespace {

constexpr std::int64_t kLongestLifetime = 366L * 24 * 3600;
constexpr std::int64_t kMostRecords = 10'000;

Result<Json> grant(Access& access, const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  AccessRequest wanted;
  wanted.name = body.text("name");
  wanted.role = body.text("role");
  wanted.lifetime = std::chrono::seconds(body.integer_or("lifetime_s", 3600, 1, kLongestLifetime));
  TCFDL_TRY(body.finish());
  TCFDL_ASSIGN(const auto issued, access.grant(wanted));
  const auto token = issued.token.empty() ? Json() : Json(issued.token);
  return Json{{"name", wanted.name}, {"role", wanted.role}, {"token", token}, {"expires", issued.expires}};
}

Result<Json> list(Access& access) {
  TCFDL_ASSIGN(auto principals, access.principals());
  return Json{{"access", std::move(principals)}};
}

http::Response revoke(Access& access, const http::Request& request) {
  const auto revoked = access.revoke(std::string(request.param("name")));
  return revoked ? http::Response::empty() : http::problem(revoked.error(), request.path);
}

Result<Json> records(Access& access, const http::Request& request) {
  TCFDL_ASSIGN(const auto limit, request.query_integer_or("limit", 100, 1, kMostRecords));
  TCFDL_ASSIGN(auto found, access.records(limit));
  return Json{{"records", std::move(found)}};
}

} // namespace

void add_access_routes(http::Server& server, Access& access) {
  const auto admin = from(Level::kAdmin);
  server.add(
      "POST", "/v1/access",
      [&access](const http::Request& request) { return answer(grant(access, request), request, 201); }, admin);
  server.add(
      "GET", "/v1/access", [&access](const http::Request& request) { return answer(list(access), request); }, admin);
  server.add(
      "DELETE", "/v1/access/{name}", [&access](const http::Request& request) { return revoke(access, request); },
      admin);
  server.add(
      "GET", "/v1/audit", [&access](const http::Request& request) { return answer(records(access, request), request); },
      admin);
}

} // namespace tcfdl::api_service
