// POST /v1/functions/NAME/stream: the raw body in, the result out while it is made.
#pragma once

#include "gateway/callers.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::gateway {

/// Adds the route. A call that fails before it gave anything is answered as `invoke` answers it; one that fails later
/// ends the connection, so that the result is seen to be incomplete. RESOURCE_EXHAUSTED for more than 16 at once.
/// Client and callers outlive the server.
void add_stream_route(http::Server& server, Client& client, Callers& callers);

} // namespace tcfdl::gateway
