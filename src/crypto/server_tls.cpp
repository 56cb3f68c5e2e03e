#include "crypto/server_tls.hpp"

namespace tcfdl::crypto {

Result<std::shared_ptr<ServerTls>> ServerTls::make(const std::string& certificate_pem,
                                                   std::shared_ptr<const SecretBytes> key_pem,
                                                   const std::string& client_root_pem) {
  if (key_pem == nullptr) return Error(Code::kInvalidArgument, "a TLS server needs a key");
  TCFDL_ASSIGN(auto context, TlsContext::server(certificate_pem, key_pem->span(), client_root_pem));
  return std::shared_ptr<ServerTls>(new ServerTls(std::move(key_pem), client_root_pem, std::move(context)));
}

Status ServerTls::replace(const std::string& certificate_pem) {
  TCFDL_ASSIGN(auto fresh, TlsContext::server(certificate_pem, key_pem_->span(), client_root_pem_));
  context_.with([&](TlsContext& context) { context = std::move(fresh); });
  return {};
}

} // namespace tcfdl::crypto
