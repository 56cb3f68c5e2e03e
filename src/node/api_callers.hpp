// Who calls the administration API, and the record of what they did.
#pragma once

#include "base/clock.hpp"
#include "http/server.hpp"
#include "security_manager/access_control.hpp"
#include "security_manager/audit_log.hpp"
#include "wire/revocations.hpp"

namespace tcfdl::node {

/// How a client's TLS certificate is judged; all outlive the server.
struct ClientTrust {
  const crypto::VerifyKey& authority;
  const std::string& cluster;
  const wire::Revocations& revocations;
  const Clock& clock;
};

/// By its token. The levels of the API are the roles of the security manager, by number.
http::Authenticate authenticate_with(const security_manager::AccessControl& access);

/// By its certificate: an enrolled client of the cluster, in the role that it was given here, else as a caller.
http::Identify identify_with(const security_manager::AccessControl& access, const ClientTrust& trust);

/// Records what changes something or was refused.
std::function<void(const http::Answered&)> record_in(security_manager::AuditLog& audit);

} // namespace tcfdl::node
