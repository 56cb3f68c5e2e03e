#include "node/span_export.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "http/client.hpp"
#include "http/url.hpp"

namespace tcfdl::node {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kSendTime{5};

json attribute(const std::string& key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

json span_json(const wire::Span& span) {
  json attributes = json::array();
  for (const auto& [key, value] : span.attributes()) attributes.push_back(attribute("tcfdl." + key, value));
  json result{{"traceId", to_hex(as_bytes(span.trace_id()))},
              {"spanId", to_hex(as_bytes(span.span_id()))},
              {"name", span.name()},
              {"kind", static_cast<int>(span.kind())},
              {"startTimeUnixNano", std::to_string(span.start_ns())},
              {"endTimeUnixNano", std::to_string(span.end_ns())},
              {"attributes", std::move(attributes)}};
  if (!span.parent_id().empty()) result["parentSpanId"] = to_hex(as_bytes(span.parent_id()));
  if (span.code() != 0) {
    constexpr int kError = 2; // OTLP's STATUS_CODE_ERROR
    result["status"] = {{"code", kError}, {"message", code_name(code_from_number(span.code()))}};
  }
  return result;
}

/// The way to the collector.
class Collector {
public:
  Collector(http::ClientSettings settings, std::string target)
      : client_(std::move(settings)), target_(std::move(target)) {}

  Status send(const wire::Spans& spans) {
    const auto text = otlp_request(spans).dump(-1, ' ', false, json::error_handler_t::replace);
    TCFDL_TRY(client_.call(http::Request::make("POST", target_, text), Deadline::after(kSendTime)));
    return {};
  }

private:
  http::Client client_;
  const std::string target_;
};

Result<std::shared_ptr<Collector>> collector_of(const TracingConfig& config) {
  TCFDL_ASSIGN(const auto url, http::parse_url(config.endpoint));
  http::ClientSettings settings;
  settings.host = url.host;
  settings.port = url.port;
  if (url.tls) {
    constexpr std::size_t kLargestRoot = std::size_t{1} << 20U;
    TCFDL_ASSIGN(auto root, read_text_file(config.root, kLargestRoot));
    settings.tls = http::ClientTls{.root_pem = std::move(root), .server_name = url.host};
  }
  return std::make_shared<Collector>(std::move(settings), url.path + "/v1/traces");
}

} // namespace

json otlp_request(const wire::Spans& spans) {
  const auto& service = spans.service();
  const auto slash = std::min(service.find('/'), service.size());
  json attributes = json::array({attribute("service.name", "tcfdl-" + service.substr(0, slash))});
  if (slash < service.size()) attributes.push_back(attribute("service.instance.id", service.substr(slash + 1)));
  json list = json::array();
  for (const auto& span : spans.spans()) list.push_back(span_json(span));
  json scope{{"scope", {{"name", "tcfdl"}}}, {"spans", std::move(list)}};
  json resource{{"resource", {{"attributes", std::move(attributes)}}}, {"scopeSpans", json::array({std::move(scope)})}};
  return {{"resourceSpans", json::array({std::move(resource)})}};
}

Result<std::unique_ptr<wire::SpanBuffer>> start_span_export(const TracingConfig& config, std::string service) {
  if (config.endpoint.empty()) return nullptr;
  TCFDL_ASSIGN(const auto collector, collector_of(config));
  return std::make_unique<wire::SpanBuffer>(
      wire::SpanBufferSettings{.service = std::move(service), .sampling = config.sampling},
      [collector](const wire::Spans& spans) { return collector->send(spans); });
}

void add_spans(metrics::Page& page, const wire::SpanBuffer* spans) {
  if (spans == nullptr) return;
  const auto counts = spans->counts();
  const auto add = [&](const char* outcome, std::uint64_t count) {
    page.counter("tcfdl_spans_total", "Spans of traces, by whether the collector took them.", count,
                 {{"outcome", outcome}});
  };
  add("sent", counts.sent);
  add("dropped", counts.dropped);
}

} // namespace tcfdl::node
