// The proxy as a process: commands from its daemon on one descriptor, events to it on another.
#pragma once

namespace tcfdl::tee_proxy {

/// Runs `tcfdl-proxy --state DIR --node NAME --instances ADDRESS --tee KIND [--attestation-root DIR] …`: descriptor 3
/// brings wire::ProxyCommand, descriptor 4 takes wire::ProxyEvent. Returns the exit code for main once the daemon has
/// closed descriptor 3.
int run(int argc, char** argv);

} // namespace tcfdl::tee_proxy
