// A collector of traces: an HTTP server that keeps the spans of OTLP requests.
#pragma once

#include "base/guarded.hpp"
#include "http/server.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::test {

/// A span as it came, with the process that it is of.
struct CollectedSpan {
  std::string service; ///< service.name
  std::string of;      ///< service.instance.id
  std::string trace;
  std::string id;
  std::string parent; ///< empty: none
  std::string name;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  bool failed = false;
};

/// Listens on a free loopback port from its construction on.
class Collector {
public:
  Collector();
  [[nodiscard]] std::string endpoint() const;
  /// The spans of a trace that have come.
  [[nodiscard]] std::vector<CollectedSpan> spans(const std::string& trace) const;
  /// Requests that were no OTLP.
  [[nodiscard]] int malformed() const { return malformed_; }

private:
  void take(const nlohmann::json& request);

  Guarded<std::vector<CollectedSpan>> spans_;
  std::atomic<int> malformed_ = 0;
  http::Server server_;
};

} // namespace tcfdl::test
