// Frames in TLS 1.3 over TCP. A library of its own (`tcfdl::wire_tls`), so that programs without TLS do not load it.
#pragma once

#include "crypto/tls_session.hpp"
#include "wire/listener.hpp"

namespace tcfdl::wire {

/// Connects, and knows the server by the context's root and that name. UNAUTHENTICATED for another server, UNAVAILABLE,
/// DEADLINE_EXCEEDED.
Result<std::unique_ptr<Connection>> connect_tls(const Address& address, const crypto::TlsContext& context,
                                                const std::string& server_name, Deadline deadline);

/// What a server shows from now on; any thread.
using TlsSource = std::function<crypto::TlsContext()>;

/// Listens for connections in TLS, also beyond loopback; `serve` gets those whose handshake is done. Errors of
/// `listen_on`.
Result<std::unique_ptr<Listener>> listen_tls(const Address& address, ListenerSettings settings, TlsSource context,
                                             const Listener::Serve& serve);

} // namespace tcfdl::wire
