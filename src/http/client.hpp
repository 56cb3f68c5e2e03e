// The HTTP client of the command line and of tests.
#pragma once

#include "base/deadline.hpp"
#include "crypto/secret.hpp"
#include "http/message.hpp"
#include "http/url.hpp"

#include <memory>
#include <optional>

namespace tcfdl::http {

/// Whom an HTTPS client believes, and what it shows to a server that asks.
struct ClientTls {
  std::string root_pem;
  std::string server_name;                              // in the certificate, whatever the address is
  std::string certificate_pem{};                        // empty: it shows none
  std::shared_ptr<const crypto::SecretBytes> key_pem{}; // of the certificate
};

struct ClientSettings {
  std::string host = "127.0.0.1"; // loopback only without TLS, since the token goes unencrypted then
  std::uint16_t port = 0;
  std::optional<ClientTls> tls{};
  std::string token{};                                   // sent as a bearer token when not empty
  std::uint64_t max_response = std::uint64_t{64} << 20U; // bytes of a body that no sink takes
};

/// Takes a response's body as it arrives; an error of it ends the exchange and is what `send` returns.
using Sink = std::function<Status(BytesView)>;

/// Sends requests and waits for their answers. Keeps connections for later requests. Thread-safe: requests of several
/// threads go over connections of their own.
class Client {
public:
  using Settings = ClientSettings;

  explicit Client(Settings settings);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// The answer, of whatever status (`error_of` and `expect_ok` read problem documents). The deadline covers
  /// connecting, sending and receiving. With a sink, the body of a 2xx answer goes there and is not bounded. A body
  /// above 1 MiB or an upload is sent after `100 Continue`, an answer or one second, whichever is first.
  ///
  /// UNAUTHENTICATED when the server does not prove that it is the one that TLS expects; it did not see the request.
  /// UNAVAILABLE when the server cannot be reached; it did not see the request. UNKNOWN when the connection broke
  /// before the answer: unless the method is safe to repeat (GET, HEAD, PUT, DELETE, OPTIONS), the server may have
  /// acted. DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED for an answer above `max_response`; INTERNAL for an answer that is no
  /// HTTP; INVALID_ARGUMENT for a host that is no loopback address or a field with control characters.
  Result<Response> send(Request request, Deadline deadline, const Sink& sink = {});

  /// `send`, with an answer that is no 2xx as its error.
  Result<Response> call(Request request, Deadline deadline, const Sink& sink = {});

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace tcfdl::http
