#include "node/span_export.hpp"

#include "http/server.hpp"

#include <gtest/gtest.h>

namespace tcfdl::node {
namespace {

wire::Span some_span() {
  wire::Span span;
  span.set_trace_id(std::string(15, '\0') + '\1');
  span.set_span_id(std::string(7, '\0') + '\2');
  span.set_name("queue");
  span.set_kind(wire::SPAN_KIND_SERVER);
  span.set_start_ns(1'700'000'000'000'000'001);
  span.set_end_ns(1'700'000'000'000'000'002);
  return span;
}

TEST(OtlpRequest, HasWhatTheProtocolNames) {
  wire::Spans spans;
  spans.set_service("worker/rsu-1");
  auto& span = *spans.add_spans();
  span = some_span();
  span.set_parent_id(std::string(7, '\0') + '\3');
  span.set_code(14);
  (*span.mutable_attributes())["function"] = "f";
  EXPECT_EQ(otlp_request(spans), nlohmann::json::parse(R"({"resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "tcfdl-worker"}},
                                {"key": "service.instance.id", "value": {"stringValue": "rsu-1"}}]},
    "scopeSpans": [{"scope": {"name": "tcfdl"}, "spans": [{
      "traceId": "00000000000000000000000000000001", "spanId": "0000000000000002", "parentSpanId": "0000000000000003",
      "name": "queue", "kind": 2, "startTimeUnixNano": "1700000000000000001", "endTimeUnixNano": "1700000000000000002",
      "attributes": [{"key": "tcfdl.function", "value": {"stringValue": "f"}}],
      "status": {"code": 2, "message": "UNAVAILABLE"}}]}]}]})"));
}

TEST(OtlpRequest, LeavesOutParentAndStatusWhereThereAreNone) {
  wire::Spans spans;
  *spans.add_spans() = some_span();
  const auto request = otlp_request(spans);
  const auto& span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_FALSE(span.contains("parentSpanId"));
  EXPECT_FALSE(span.contains("status"));
}

TEST(SpanExport, IsOffWithoutAnEndpoint) { EXPECT_EQ(start_span_export({}, "worker/w").value(), nullptr); }

TEST(SpanExport, PostsToTheCollectorBelowItsPath) {
  std::atomic<int> posts = 0;
  http::Server collector({});
  collector.add("POST", "/otlp/v1/traces",
                [&](const http::Request& request) {
                  EXPECT_EQ(request.headers.get("Content-Type"), "application/json");
                  EXPECT_TRUE(nlohmann::json::accept(as_text(request.body)));
                  ++posts;
                  return http::Response::json(200, "{}");
                },
                {.is_public = true});
  ASSERT_TRUE(collector.start());
  TracingConfig config;
  config.endpoint = fmt::format("http://127.0.0.1:{}/otlp", collector.port());
  auto spans = start_span_export(config, "worker/w").value();
  spans->record(some_span());
  spans.reset();
  EXPECT_EQ(posts, 1);
}

} // namespace
} // namespace tcfdl::node
