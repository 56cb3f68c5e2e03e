// What a gateway counts of the calls over HTTP. docs/metrics.md.
#pragma once

#include "http/server.hpp"
#include "metrics/tally.hpp"

namespace tcfdl::gateway {

/// Thread-safe.
class CallFigures {
public:
  /// A call that was answered. Bytes are of its body and of its answer's.
  void add(int status, double seconds, std::uint64_t body, std::uint64_t answer);
  void put_on(metrics::Page& page) const;

private:
  struct Sums {
    Durations times;
    std::uint64_t bodies = 0;
    std::uint64_t answers = 0;
  };
  metrics::Tally answered_;
  Guarded<Sums> sums_;
};

/// Adds `GET /metrics`, for who has the gateway's token; clients with certificates have no business there. `figures`
/// outlives the server.
void add_metrics_route(http::Server& server, const CallFigures& figures);

} // namespace tcfdl::gateway
