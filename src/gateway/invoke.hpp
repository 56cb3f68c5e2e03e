// POST /v1/functions/NAME/invoke: the raw body in, the raw result out.
#pragma once

#include "gateway/callers.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::gateway {

/// Options of a call from its request: query `timeout` (as 5s), `protection`, `cluster`, `assurance`; header
/// Idempotency-Key (the task id), Tcfdl-Priority, Content-Type. INVALID_ARGUMENT names the one at fault.
Result<CallOptions> options_of(const http::Request& request);

/// Adds the route. Client and callers outlive the server.
void add_invoke_route(http::Server& server, Client& client, Callers& callers);

} // namespace tcfdl::gateway
