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

/// A call that its caller may make.
struct AdmittedCall {
  std::string function;
  CallOptions options; ///< without `cancel`
};

/// Reads whose call of what a request is, and refuses who may not make it before anything else of it is looked at.
/// Errors of `parse_function_name`, `Callers::check_call` and `options_of`.
Result<AdmittedCall> admit_call(Callers& callers, const http::Request& request);

/// What serves calls; all outlive the server.
struct InvokeParts {
  Client& client;
  Callers& callers;
  CallFigures& figures;
  wire::SpanSink* spans = nullptr; ///< where spans of requests go; nullptr: nowhere
};

/// Runs `call`, which gives a Result, as a span of that name: what it calls with the options belongs to it.
template <class Call> auto in_span(const InvokeParts& parts, std::string name, CallOptions& options, Call call) {
  const auto given = TraceContext::parse(options.traceparent);
  const auto context = given ? *given : wire::begin_trace({}, parts.spans);
  wire::OpenSpan span(parts.spans, context, std::move(name), wire::SPAN_KIND_SERVER, !given);
  if (given || context.sampled) options.traceparent = span.context().traceparent();
  auto result = call();
  span.set_outcome(result ? Status() : Status(result.error()));
  return result;
}

/// The fields that tell of a call.
void add_report(http::Response& response, const CallReport& report);

/// A handler whose answers, and the time until they are there, are counted.
http::Handler counted(const InvokeParts& parts, http::Handler handler);

void add_invoke_route(http::Server& server, const InvokeParts& parts);

} // namespace tcfdl::gateway
