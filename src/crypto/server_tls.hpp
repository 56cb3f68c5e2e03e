// What a server shows in TLS, replaceable while it runs.
#pragma once

#include "base/guarded.hpp"
#include "crypto/tls_session.hpp"

namespace tcfdl::crypto {

/// Any thread. Connections keep what they began with.
class ServerTls {
public:
  /// With `client_root_pem` peers are asked for a certificate: they may show none, and any other is refused in TLS.
  /// INVALID_ARGUMENT for a certificate or key that is none, or a pair that does not fit.
  static Result<std::shared_ptr<ServerTls>> make(const std::string& certificate_pem,
                                                 std::shared_ptr<const SecretBytes> key_pem,
                                                 const std::string& client_root_pem = {});

  /// A new certificate of the same key. After an error the old one stays.
  Status replace(const std::string& certificate_pem);
  [[nodiscard]] TlsContext context() const {
    return context_.with([](const TlsContext& context) { return context; });
  }

private:
  ServerTls(std::shared_ptr<const SecretBytes> key_pem, std::string client_root_pem, TlsContext context)
      : key_pem_(std::move(key_pem)), client_root_pem_(std::move(client_root_pem)), context_(std::move(context)) {}

  const std::shared_ptr<const SecretBytes> key_pem_;
  const std::string client_root_pem_;
  Guarded<TlsContext> context_;
};

} // namespace tcfdl::crypto
