// The proxy as a process: commands from its daemon on one line, events to it on another.
#pragma once

namespace tcfdl::tee_proxy {

/// Runs `tcfdl-proxy --state DIR --tee KIND [--attestation-root DIR] [--require LAYERS] …`; the environment has the
/// rest (docs/formats/proxy_lines.md): wire::ProxyCommand comes from the daemon, wire::ProxyEvent goes to it. Returns
/// the exit code for main once the daemon has ended the line of commands.
int run(int argc, char** argv);

} // namespace tcfdl::tee_proxy
