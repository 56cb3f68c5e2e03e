// What callers and instances need of the platform.
#pragma once

#include "wire/messages.hpp"

#include <stop_token>

namespace tcfdl::sdk {

/// A TEE proxy that turns capsules: the node's own for instances, the cluster's entry proxy for other callers.
class Proxy {
public:
  virtual ~Proxy() = default;
  /// Errors are the proxy's, or UNAVAILABLE when it cannot be reached.
  virtual Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline deadline) = 0;
};

/// The task manager of the caller's cluster.
class TaskManager {
public:
  virtual ~TaskManager() = default;
  /// Waits in the function's queue for a lease; `cancel` leaves the queue.
  virtual Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline deadline,
                                         const std::stop_token& cancel) = 0;
  /// Gives a lease back that was not used. Best effort.
  virtual void release(const wire::LeaseRelease& release) = 0;
  /// A connection to an instance that cannot be reached directly.
  virtual Result<std::unique_ptr<wire::Connection>> open_relay(const wire::OpenRelay& relay, Deadline deadline) = 0;
};

/// Where starts and ends of tasks are told.
class TaskEvents {
public:
  virtual ~TaskEvents() = default;
  virtual void report(const wire::TaskEvent& event) = 0;
};

} // namespace tcfdl::sdk
