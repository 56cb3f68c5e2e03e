// The proxy's ends of the lines to its node's daemon. docs/formats/proxy_lines.md.
#pragma once

#include "wire/connection.hpp"

#include <memory>

namespace tcfdl::tee_proxy {

struct DaemonLines {
  std::unique_ptr<wire::Connection> commands;
  std::unique_ptr<wire::Connection> events;
  std::unique_ptr<wire::Connection> authority;
};

/// Connections to TCFDL_DAEMON where the environment names it, each side of which shows that it knows
/// TCFDL_DAEMON_SECRET; else descriptors 3 to 5, which close at an exec from now on. The secret is gone from the
/// environment then. FAILED_PRECONDITION where there is neither; UNAUTHENTICATED when somebody else listens there.
Result<DaemonLines> find_daemon();

} // namespace tcfdl::tee_proxy
