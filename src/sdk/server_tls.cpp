#include "sdk/server_tls.hpp"

#include "crypto/hash.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"

namespace tcfdl::sdk {
namespace {

constexpr const char* kPemLabel = "CERTIFICATE";

Result<crypto::TlsPair> check(const Identity& identity, const TlsChain& chain, const std::string& server_name,
                              const Clock& clock) {
  return crypto::check_tls_chain(chain, crypto::sha256(identity.authority.bytes()), identity.signing.public_key(),
                                 server_name, clock.now());
}

} // namespace

TlsChain chain_of(const wire::ProxyAttached& attached) {
  TlsChain chain;
  for (const auto& certificate : attached.tls_chain()) chain.push_back(to_bytes(certificate));
  return chain;
}

Result<std::shared_ptr<crypto::ServerTls>> make_server_tls(const Identity& identity, const TlsChain& chain,
                                                           const std::string& server_name, PeerCertificates peers,
                                                           const Clock& clock) {
  TCFDL_ASSIGN(const auto checked, check(identity, chain, server_name, clock));
  auto key = std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(identity.signing));
  const bool asked = peers == PeerCertificates::kAsked;
  return crypto::ServerTls::make(crypto::to_pem(checked.leaf.der(), kPemLabel), std::move(key),
                                 asked ? crypto::to_pem(checked.root.der(), kPemLabel) : std::string());
}

Status renew_server_tls(crypto::ServerTls& tls, const Identity& identity, const TlsChain& chain,
                        const std::string& server_name, const Clock& clock) {
  TCFDL_ASSIGN(const auto checked, check(identity, chain, server_name, clock));
  return tls.replace(crypto::to_pem(checked.leaf.der(), kPemLabel));
}

Result<crypto::TlsContext> trust_instances(BytesView root, const Identity& identity, UnixSeconds now) {
  TCFDL_ASSIGN(const auto checked, crypto::check_tls_root(root, crypto::sha256(identity.authority.bytes()), now));
  return crypto::TlsContext::client(crypto::to_pem(checked.der(), kPemLabel));
}

} // namespace tcfdl::sdk
