// What collaboration needs from the master.
#pragma once

#include "collaboration/credentials.pb.h"
#include "wire/messages.hpp"

#include <stop_token>

namespace tcfdl::collaboration {

/// The registry of functions across clusters, and who opens their doors.
class Registry {
public:
  virtual ~Registry() = default;
  virtual Result<wire::Inquired> inquire(const wire::Inquire& request, Deadline deadline) = 0;
  /// A credential at the message queue of another cluster, for the user of this public nkey.
  virtual Result<Credential> link_credential(const std::string& cluster, const std::string& user_key,
                                             Deadline deadline) = 0;
};

/// Leases at this cluster, for other clusters.
class LocalTasks {
public:
  virtual ~LocalTasks() = default;
  virtual Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request) = 0;
  virtual void release(const wire::LeaseRelease& release) = 0;
};

} // namespace tcfdl::collaboration
