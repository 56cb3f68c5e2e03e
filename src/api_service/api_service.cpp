#include "api_service/api_service.hpp"

#include "api_service/routes.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

namespace tcfdl::api_service {

ApiService::ApiService(const Settings& settings, Ports ports) : server_(settings.server) {
  add_function_routes(server_, ports.functions, ports.logs);
  add_artefact_routes(server_, ports.artefacts, settings);
  add_cluster_routes(server_, ports, settings);
  add_admission_routes(server_, ports.tokens, ports.enrolment);
  add_access_routes(server_, ports.access);
  add_topic_routes(server_, ports.topics);
  add_invoke_route(server_, settings);
}

http::Response answer(const Result<Json>& result, const http::Request& request, int status) {
  if (!result) return http::problem(result.error(), request.path);
  return http::Response::json(status, http::dump_json(*result));
}

Result<FunctionName> function_of(const http::Request& request) { return parse_function_name(request.param("name")); }

} // namespace tcfdl::api_service
