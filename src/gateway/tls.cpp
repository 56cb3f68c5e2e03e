#include "gateway/tls.hpp"

#include "crypto/hash.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::gateway {
namespace {

constexpr const char* kPemLabel = "CERTIFICATE";

Result<crypto::TlsPair> check(const sdk::Identity& identity, const sdk::TlsChain& chain, const std::string& cluster,
                              const Clock& clock) {
  return crypto::check_tls_chain(chain, crypto::sha256(identity.authority.bytes()), identity.signing.public_key(),
                                 wire::gateway_server(cluster), clock.now());
}

} // namespace

Result<std::shared_ptr<http::ServerTls>> make_server_tls(const sdk::Identity& identity, const sdk::TlsChain& chain,
                                                         const std::string& cluster, const Clock& clock) {
  TCFDL_ASSIGN(const auto checked, check(identity, chain, cluster, clock));
  auto key = std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(identity.signing));
  return http::ServerTls::make(crypto::to_pem(checked.leaf.der(), kPemLabel), std::move(key),
                               crypto::to_pem(checked.root.der(), kPemLabel));
}

Status renew_server_tls(http::ServerTls& tls, const sdk::Identity& identity, const sdk::TlsChain& chain,
                        const std::string& cluster, const Clock& clock) {
  TCFDL_ASSIGN(const auto checked, check(identity, chain, cluster, clock));
  return tls.replace(crypto::to_pem(checked.leaf.der(), kPemLabel));
}

} // namespace tcfdl::gateway
