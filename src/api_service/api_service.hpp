// The master's administration over HTTP. docs/formats/openapi.json describes it.
#pragma once

#include "api_service/ports.hpp"
#include "http/server.hpp"

namespace tcfdl::api_service {

struct Ports {
  Functions& functions;
  Artefacts& artefacts;
  Cluster& cluster;
  Logs& logs;
  Tokens& tokens;
  Access& access;
  Enrolment& enrolment;
  Metrics& metrics;
  Health& health;
  Topics& topics;
};

struct Settings {
  http::ServerSettings server;                              ///< who is known, at which Level
  std::string cluster;                                      ///< told by /healthz
  std::string gateway_url;                                  ///< where task calls belong; empty: nowhere
  std::uint64_t largest_artefact = std::uint64_t{1} << 30U; ///< bytes
  std::size_t artefacts_at_once = 2;                        ///< uploads and downloads held in memory together
};

/// Owned by the composition root. `start` and `stop` as of http::Server; destructor = stop.
class ApiService {
public:
  ApiService(const Settings& settings, Ports ports);
  ApiService(const ApiService&) = delete;
  ApiService& operator=(const ApiService&) = delete;
  ~ApiService() { stop(); }

  /// INVALID_ARGUMENT for an address that is no loopback address, UNAVAILABLE when the port is taken.
  Status start() { return server_.start(); }
  void stop() { server_.stop(); }

  /// The port that is served; 0 before `start()`.
  [[nodiscard]] std::uint16_t port() const noexcept { return server_.port(); }

private:
  http::Server server_;
};

} // namespace tcfdl::api_service
