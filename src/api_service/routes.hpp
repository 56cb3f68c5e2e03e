// The route groups of the API. Internal: included by this module's sources only.
#pragma once

#include "api_service/api_service.hpp"

namespace tcfdl::api_service {

void add_function_routes(http::Server& server, Functions& functions, Logs& logs);
void add_topic_routes(http::Server& server, Topics& topics);
void add_artefact_routes(http::Server& server, Artefacts& artefacts, const Settings& settings);
void add_cluster_routes(http::Server& server, const Ports& ports, const Settings& settings);
void add_admission_routes(http::Server& server, Tokens& tokens, Enrolment& enrolment);
void add_access_routes(http::Server& server, Access& access);
/// Refuses task calls and says where they belong.
void add_invoke_route(http::Server& server, const Settings& settings);

/// The OpenAPI document, as docs/formats/openapi.json has it.
std::string_view openapi_document();

/// A document with a status, or the error as a problem document.
http::Response answer(const Result<Json>& result, const http::Request& request, int status = 200);

/// Options of a route for callers of that level and above.
constexpr http::RouteOptions from(Level level, std::optional<std::uint64_t> max_body = {}) {
  return {.least_level = static_cast<int>(level), .max_body = max_body};
}

/// The function that the path names.
Result<FunctionName> function_of(const http::Request& request);

} // namespace tcfdl::api_service
