// What each user of a message queue may do: the whole of access control on subjects, in one place.
#pragma once

#include "message_queue/nats_jwt.hpp"

namespace tcfdl::collaboration {

using message_queue::Permissions;

/// The key-value bucket of routes, which masters write.
inline const std::string kRoutesBucket = "routes";

/// A master at its own server, where it is a node too.
Permissions master_permissions(const std::string& node);
/// A worker at its master's server.
Permissions worker_permissions(const std::string& node);
/// The holder of a worker's enrolment token: `user` names its inbox.
Permissions enrolling_worker_permissions(const std::string& user);
/// The master of `cluster` at another cluster's server.
Permissions link_permissions(const std::string& cluster);

/// The service manager at its server.
Permissions service_manager_permissions(const std::string& user);
/// The master of `cluster` there; its user has the cluster's name.
Permissions cluster_permissions(const std::string& cluster);
/// The holder of an enrolment token for the master of `cluster`.
Permissions enrolling_master_permissions(const std::string& user, const std::string& cluster);

} // namespace tcfdl::collaboration
