#include "node/metrics_server.hpp"

#include "base/file.hpp"

namespace tcfdl::node {

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::optional<ListenAddress>& address,
                                                            NodeState& state, Fill fill) {
  if (!address) return nullptr;
  TCFDL_ASSIGN(auto token, state.secret("metrics_token"));
  TCFDL_ASSIGN(const auto port, state.port("metrics_port", address->port));
  TCFDL_TRY(write_file(state.directory() / "metrics_token", as_bytes(token), kPrivateFile));
  http::ServerSettings settings;
  settings.address = address->host;
  settings.port = port;
  settings.authenticate = http::single_token(token);
  settings.threads = 1;
  settings.max_connections = 16;
  std::unique_ptr<MetricsServer> server(new MetricsServer(std::move(settings)));
  server->token_ = std::move(token);
  server->server_.add("GET", "/metrics", [fill = std::move(fill)](const http::Request&) {
    metrics::Page page;
    fill(page);
    page.add_process();
    return http::Response::of(200, metrics::kMediaType, page.text());
  });
  TCFDL_TRY(server->server_.start());
  return server;
}

void MetricsServer::describe(nlohmann::json& ready) const {
  ready["metrics_url"] = fmt::format("http://127.0.0.1:{}/metrics", server_.port());
  ready["metrics_token"] = token_;
}

} // namespace tcfdl::node
