// Where the events of a master's proxy go.
#pragma once

#include "node/gateway_keeper.hpp"
#include "node/host.hpp"
#include "node/node_reports.hpp"
#include "node/service_manager_client.hpp"

#include <mutex>

namespace tcfdl::node {

/// The proxy's events: to the host or the gateway, and to the service manager.
class MasterEvents final : public ProxyEvents {
public:
  void connect(ServiceManagerClient* service_manager, Host* host, GatewayKeeper* gateway) {
    const std::scoped_lock lock(mutex_);
    service_manager_ = service_manager;
    host_ = host;
    gateway_ = gateway;
  }
  void on_exited(const wire::InstanceExited& event) override {
    const std::scoped_lock lock(mutex_);
    if (gateway_ != nullptr && gateway_->on_exited(event.instance())) return;
    if (host_ != nullptr) host_->on_exited(event);
  }
  void on_spans(const wire::Spans& spans) override {
    const std::scoped_lock lock(mutex_);
    if (host_ != nullptr) host_->on_spans(spans);
  }
  void on_restarted() override {
    const std::scoped_lock lock(mutex_);
    if (gateway_ != nullptr) gateway_->on_proxy_restarted();
    if (host_ != nullptr) host_->on_proxy_restarted();
  }
  Result<Bytes> on_authority(BytesView request, Deadline deadline) override {
    TCFDL_TRY(check_proxys_request(request));
    ServiceManagerClient* service_manager = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      service_manager = service_manager_;
    }
    if (service_manager == nullptr) return Error(Code::kUnavailable, "the master is starting or stopping");
    return service_manager->authority(request, deadline.earlier(Deadline::after(std::chrono::seconds(10))));
  }

private:
  std::mutex mutex_;
  ServiceManagerClient* service_manager_ = nullptr; // guarded by mutex_, as are those below
  Host* host_ = nullptr;
  GatewayKeeper* gateway_ = nullptr;
};

} // namespace tcfdl::node
