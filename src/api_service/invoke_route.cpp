#include "api_service/routes.hpp"
#include "http/problem.hpp"

#include <limits>

namespace tcfdl::api_service {

void add_invoke_route(http::Server& server, const Settings& settings) {
  // Public, so that who holds the gateway's token is told where to go; no size is too large to be refused unread.
  server.add_streaming("POST", "/v1/functions/{name...}/invoke",
                       [url = settings.gateway_url](const http::Request& request, http::BodySource&) {
                         const auto error =
                             url.empty()
                                 ? Error(Code::kFailedPrecondition,
                                         "task calls end in a gateway, and this cluster has none: call with the SDK")
                                 : make_error(Code::kFailedPrecondition, "task calls end in the gateway, at {}", url);
                         return http::problem(error, request.path);
                       },
                       {.is_public = true, .max_body = std::numeric_limits<std::uint64_t>::max()});
}

} // namespace tcfdl::api_service
