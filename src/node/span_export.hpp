// Spans to a collector: OTLP over HTTP, as JSON. docs/tracing.md.
#pragma once

#include "metrics/page.hpp"
#include "node/config.hpp"
#include "wire/tracing.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::node {

/// What a collector is sent for the spans of one process: an ExportTraceServiceRequest. `spans.service()` is
/// `COMPONENT/NAME`.
nlohmann::json otlp_request(const wire::Spans& spans);

/// Collects the spans of a daemon and of the processes that hand theirs to it, and sends them to the collector that the
/// configuration names; null where it names none. A collector that is away costs spans, no calls. `service`: as above.
Result<std::unique_ptr<wire::SpanBuffer>> start_span_export(const TracingConfig& config, std::string service);

/// What became of the spans; nothing for null.
void add_spans(metrics::Page& page, const wire::SpanBuffer* spans);

} // namespace tcfdl::node
