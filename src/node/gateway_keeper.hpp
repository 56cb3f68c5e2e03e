// Keeps the cluster's gateway running: launched and measured by the TEE proxy like every instance, started anew when it
// dies.
#pragma once

#include "node/config.hpp"
#include "node/proxy_process.hpp"

#include <map>

namespace tcfdl::node {

struct GatewaySettings {
  std::filesystem::path program;                  ///< tcfdl-gateway
  std::filesystem::path state;                    ///< its bundle and log
  std::string instance;                           ///< its name
  ListenAddress listen;                           ///< with TLS by a key that the gateway makes, where it says so
  std::string token;                              ///< bearer token of its owner, who may call everything
  std::map<std::string, std::string> environment; ///< as an instance's
};

/// One thread. Destructor = stop.
class GatewayKeeper {
public:
  GatewayKeeper(GatewaySettings settings, ProxyProcess& proxy) : settings_(std::move(settings)), proxy_(proxy) {}
  GatewayKeeper(const GatewayKeeper&) = delete;
  GatewayKeeper& operator=(const GatewayKeeper&) = delete;
  ~GatewayKeeper() { stop(); }

  /// Returns when the gateway answers. UNAVAILABLE names its log.
  Status start();
  void stop() noexcept;

  /// Its process ended; false when the event is of another instance.
  bool on_exited(const std::string& instance);
  /// It went with the old proxy.
  void on_proxy_restarted() { on_exited(settings_.instance); }

private:
  Status prepare();
  void keep();
  [[nodiscard]] bool answers() const;

  const GatewaySettings settings_;
  ProxyProcess& proxy_;
  wire::LaunchInstance order_; // constant once prepared
  std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false;  // guarded by mutex_
  bool stopping_ = false; // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl::node
