// POST /v1/functions/NAME/invoke: the raw body in, the raw result out.
#pragma once

#include "gateway/callers.hpp"
#include "gateway/figures.hpp"
#include "wire/tracing.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::gateway {

/// Options of a call from its request: query `timeout` (as 5s), `protection`, `cluster`, `assurance`; header
/// Idempotency-Key (the task id), Tcfdl-Priority, Content-Type, traceparent and tracestate. INVALID_ARGUMENT names the
/// one at fault.
Result<CallOptions> options_of(const http::Request& request);

/// What serves calls; all outlive the server.
struct InvokeParts {
  Client& client;
  Callers& callers;
  CallFigures& figures;
  wire::SpanSink* spans = nullptr; ///< where spans of requests go; nullptr: nowhere
};

void add_invoke_route(http::Server& server, const InvokeParts& parts);

} // namespace tcfdl::gateway
