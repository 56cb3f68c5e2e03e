// The gateway as a process: HTTP task calls into sealed tasks, inside a TEE (paper, section 2.3.4).
#pragma once

namespace tcfdl::gateway {

/// Runs the gateway that the master's proxy launched. Listens on TCFDL_GATEWAY_LISTEN (HOST:PORT), in TLS where
/// TCFDL_GATEWAY_TLS is set, as it must be for other addresses than loopback. Admits the bearer token
/// TCFDL_GATEWAY_TOKEN and, in TLS, the cluster's clients by their certificates. Returns the exit code for main.
int run();

} // namespace tcfdl::gateway
