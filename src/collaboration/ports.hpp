// What collaboration needs from the master.
#pragma once

#include "wire/messages.hpp"

#include <stop_token>

namespace tcfdl::collaboration {

/// The registry of functions across clusters.
class Registry {
public:
  virtual ~Registry() = default;
  virtual Result<wire::Inquired> inquire(const wire::Inquire& request, Deadline deadline) = 0;
};

/// Leases at this cluster, for other clusters.
class LocalTasks {
public:
  virtual ~LocalTasks() = default;
  virtual Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request) = 0;
  virtual void release(const wire::LeaseRelease& release) = 0;
};

} // namespace tcfdl::collaboration
