#include "support/collector.hpp"

#include "base/format.hpp"

namespace tcfdl::test {
namespace {

std::string attribute(const nlohmann::json& attributes, const std::string& key) {
  for (const auto& each : attributes) {
    if (each.at("key") == key) return each.at("value").at("stringValue");
  }
  return {};
}

CollectedSpan read_span(const nlohmann::json& span) {
  CollectedSpan read;
  read.trace = span.at("traceId");
  read.id = span.at("spanId");
  read.parent = span.value("parentSpanId", "");
  read.name = span.at("name");
  read.start_ns = std::stoll(span.at("startTimeUnixNano").get<std::string>());
  read.end_ns = std::stoll(span.at("endTimeUnixNano").get<std::string>());
  read.failed = span.contains("status");
  return read;
}

http::ServerSettings settings() {
  http::ServerSettings settings;
  settings.threads = 2;
  return settings;
}

} // namespace

Collector::Collector() : server_(settings()) {
  server_.add("POST", "/v1/traces",
              [this](const http::Request& request) {
                try {
                  take(nlohmann::json::parse(as_text(request.body)));
                } catch (const std::exception&) {
                  ++malformed_;
                }
                return http::Response::json(200, "{}");
              },
              {.is_public = true});
  const auto started = server_.start();
  if (!started) throw std::runtime_error(started.error().to_string());
}

std::string Collector::endpoint() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }

void Collector::take(const nlohmann::json& request) {
  for (const auto& resource : request.at("resourceSpans")) {
    const auto& attributes = resource.at("resource").at("attributes");
    for (const auto& scope : resource.at("scopeSpans")) {
      for (const auto& span : scope.at("spans")) {
        auto read = read_span(span);
        read.service = attribute(attributes, "service.name");
        read.of = attribute(attributes, "service.instance.id");
        spans_.with([&](auto& spans) { spans.push_back(std::move(read)); });
      }
    }
  }
}

std::vector<CollectedSpan> Collector::spans(const std::string& trace) const {
  auto all = spans_.with([](const auto& spans) { return spans; });
  std::erase_if(all, [&](const auto& span) { return span.trace != trace; });
  return all;
}

} // namespace tcfdl::test
