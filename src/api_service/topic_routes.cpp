#include "api_service/routes.hpp"
#include "base/encoding.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

namespace tcfdl::api_service {
namespace {

constexpr std::uint64_t kLargestTopic = std::uint64_t{256} << 10U;

Result<wire::Signed> descriptor_of(const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body", {.depth = 2, .size = kLargestTopic}));
  const auto descriptor = body.text("descriptor");
  TCFDL_TRY(body.finish());
  const auto bytes = from_base64url(descriptor);
  if (!bytes) return bytes.error().within("body: 'descriptor'");
  return wire::parse<wire::Signed>(*bytes);
}

http::Response put(Topics& topics, const http::Request& request) {
  const auto descriptor = descriptor_of(request);
  return answer(descriptor ? topics.put_topic(*descriptor) : Result<Json>(descriptor.error()), request, 201);
}

http::Response show(Topics& topics, const http::Request& request) {
  const auto name = function_of(request);
  return answer(name ? topics.topic(*name) : Result<Json>(name.error()), request);
}

http::Response remove(Topics& topics, const http::Request& request) {
  const auto name = function_of(request);
  const auto removed = name ? topics.remove_topic(*name) : Status(name.error());
  return removed ? http::Response::empty() : http::problem(removed.error(), request.path);
}

http::Response list(Topics& topics, const http::Request& request) {
  auto all = topics.topics();
  if (!all) return http::problem(all.error(), request.path);
  return answer(Json{{"topics", *std::move(all)}}, request);
}

} // namespace

void add_topic_routes(http::Server& server, Topics& topics) {
  server.add(
      "GET", "/v1/topics", [&topics](const http::Request& request) { return list(topics, request); },
      from(Level::kViewer));
  server.add(
      "POST", "/v1/topics", [&topics](const http::Request& request) { return put(topics, request); },
      from(Level::kDeployer, kLargestTopic));
  server.add(
      "GET", "/v1/topics/{name...}", [&topics](const http::Request& request) { return show(topics, request); },
      from(Level::kViewer));
  server.add(
      "DELETE", "/v1/topics/{name...}", [&topics](const http::Request& request) { return remove(topics, request); },
      from(Level::kDeployer));
}

} // namespace tcfdl::api_service
