// The gateway as a process: HTTP task calls into sealed tasks, inside a TEE (paper, section 2.3.4).
#pragma once

namespace tcfdl::gateway {

/// Runs the gateway that the master's proxy launched. Listens on TCFDL_GATEWAY_LISTEN (HOST:PORT, loopback) and asks
/// for the bearer token TCFDL_GATEWAY_TOKEN. Returns the exit code for main.
int run();

} // namespace tcfdl::gateway
