#include "instance_manager/agent_server.hpp"

#include "base/log.hpp"

namespace tcfdl::instance_manager {
namespace {

constexpr std::chrono::seconds kReadyWithin{10};

/// Reaches the connection as long as it is served.
class Link final : public Agent {
public:
  explicit Link(wire::Connection& connection) : connection_(&connection) {}

  Status send(const wire::InstanceCommand& command, Deadline deadline) override {
    const std::scoped_lock lock(mutex_);
    if (connection_ == nullptr) return Error(Code::kUnavailable, "the instance's connection ended");
    return wire::send_message(*connection_, command, deadline);
  }
  void detach() {
    const std::scoped_lock lock(mutex_);
    connection_ = nullptr;
  }

private:
  std::mutex mutex_;
  wire::Connection* connection_; // guarded by mutex_; null once it is over
};

/// Instances may be silent for as long as they have no tasks.
Deadline never() { return Deadline(Deadline::Clock::time_point::max()); }

} // namespace

void AgentServer::serve(wire::Connection& connection) {
  const auto first = wire::receive_message<wire::InstanceReport>(connection, Deadline::after(kReadyWithin));
  if (!first || !first->has_ready()) {
    spdlog::warn("instances: a connection did not begin with an instance's readiness");
    return;
  }
  const auto link = std::make_shared<Link>(connection);
  const auto admission = instances_.admit(first->ready(), link);
  if (!admission) {
    spdlog::warn("instances: refused a connection: {}", admission.error().to_string());
    return;
  }
  for (;;) {
    const auto report = wire::receive_message<wire::InstanceReport>(connection, never());
    if (!report) break;
    if (report->has_task()) {
      instances_.task_event(*admission, report->task());
    } else if (report->has_spans()) {
      instances_.spans(*admission, report->spans());
    } else if (report->has_pong()) {
      instances_.answered(*admission, std::chrono::milliseconds(report->pong().overdue_ms()));
    } else {
      break;
    }
  }
  link->detach();
  instances_.agent_lost(*admission);
}

} // namespace tcfdl::instance_manager
