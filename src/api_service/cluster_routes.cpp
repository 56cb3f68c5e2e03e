#include "api_service/routes.hpp"
#include "base/encoding.hpp"
#include "http/json.hpp"

namespace tcfdl::api_service {
namespace {

std::string_view health_name(HealthState state) {
  switch (state) {
  case HealthState::kOk: return "ok";
  case HealthState::kFallback: return "fallback";
  case HealthState::kFatal: return "fatal";
  }
  return "fatal";
}

Result<Json> attestation_result(Cluster& cluster, const http::Request& request) {
  const auto nonce = from_hex(request.query_text("nonce").value_or(""));
  if (!nonce) return nonce.error().within("nonce");
  return cluster.attestation_result(std::string(request.param("subject")), *nonce);
}

http::Handler set_drained(Cluster& cluster, bool drained) {
  return [&cluster, drained](const http::Request& request) {
    return answer(cluster.set_drained(std::string(request.param("node")), drained), request);
  };
}

} // namespace

void add_cluster_routes(http::Server& server, const Ports& ports, const Settings& settings) {
  server.add("GET", "/healthz",
             [&health = ports.health, cluster = settings.cluster](const http::Request&) {
               const auto state = health.state();
               const int status = state == HealthState::kFatal ? 503 : 200;
               return http::Response::json(status,
                                           http::dump_json({{"status", health_name(state)}, {"cluster", cluster}}));
             },
             {.is_public = true});
  server.add(
      "GET", "/metrics",
      [&metrics = ports.metrics](const http::Request&) {
        return http::Response::of(200, "text/plain; version=0.0.4; charset=utf-8", metrics.text());
      },
      from(Level::kViewer));
  server.add(
      "GET", "/v1/status",
      [&state = ports.cluster](const http::Request& request) { return answer(state.status(), request); },
      from(Level::kViewer));
  server.add(
      "GET", "/v1/attestation/{subject}",
      [&cluster = ports.cluster](const http::Request& request) {
        return answer(attestation_result(cluster, request), request);
      },
      from(Level::kViewer));
  server.add("POST", "/v1/nodes/{node}/drain", set_drained(ports.cluster, true), from(Level::kAdmin));
  server.add("POST", "/v1/nodes/{node}/resume", set_drained(ports.cluster, false), from(Level::kAdmin));
  server.add("GET", "/v1/openapi.json",
             [](const http::Request&) { return http::Response::json(200, openapi_document()); }, {.is_public = true});
}

} // namespace tcfdl::api_service
