// The metrics of a daemon that has no other HTTP server.
#pragma once

#include "http/server.hpp"
#include "metrics/page.hpp"
#include "node/config.hpp"
#include "node/state.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::node {

/// Serves `GET /metrics` on loopback to who has the token, which is kept in the state and written to `metrics_token`
/// beside it, for Prometheus' `credentials_file`. Destructor = stop.
class MetricsServer {
public:
  /// Puts the figures of now on a page; called by one thread at a time.
  using Fill = std::function<void(metrics::Page&)>;

  /// Null where the configuration names no address.
  static Result<std::unique_ptr<MetricsServer>> start(const std::optional<ListenAddress>& address, NodeState& state,
                                                      Fill fill);

  /// Adds where it is to the content of a ready file.
  void describe(nlohmann::json& ready) const;

private:
  explicit MetricsServer(http::ServerSettings settings) : server_(std::move(settings)) {}

  http::Server server_;
  std::string token_;
};

} // namespace tcfdl::node
