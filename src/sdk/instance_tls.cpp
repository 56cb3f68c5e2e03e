#include "sdk/instance_tls.hpp"

#include "crypto/hash.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::sdk {
namespace {

constexpr const char* kPemLabel = "CERTIFICATE";

Result<crypto::TlsContext> make_context(const Identity& identity, const std::string& cluster, const TlsChain& chain,
                                        UnixSeconds now) {
  TCFDL_ASSIGN(const auto checked,
               crypto::check_tls_chain(chain, crypto::sha256(identity.authority.bytes()), identity.signing.public_key(),
                                       wire::instance_server(identity.name, cluster), now));
  const auto key = crypto::private_key_pem(identity.signing);
  return crypto::TlsContext::server(crypto::to_pem(checked.leaf.der(), kPemLabel), key.span());
}

} // namespace

TlsChain chain_of(const wire::ProxyAttached& attached) {
  TlsChain chain;
  for (const auto& certificate : attached.tls_chain()) chain.push_back(to_bytes(certificate));
  return chain;
}

Result<std::shared_ptr<InstanceTls>> InstanceTls::make(const Identity& identity, const std::string& cluster,
                                                       const TlsChain& chain, const Clock& clock) {
  TCFDL_ASSIGN(auto context, make_context(identity, cluster, chain, clock.now()));
  return std::shared_ptr<InstanceTls>(new InstanceTls(identity, cluster, clock, std::move(context)));
}

Status InstanceTls::replace(const TlsChain& chain) {
  TCFDL_ASSIGN(auto next, make_context(identity_, cluster_, chain, clock_.now()));
  context_.with([&](crypto::TlsContext& context) { context = std::move(next); });
  return {};
}

Result<crypto::TlsContext> trust_instances(BytesView root, const Identity& identity, UnixSeconds now) {
  TCFDL_ASSIGN(const auto checked, crypto::check_tls_root(root, crypto::sha256(identity.authority.bytes()), now));
  return crypto::TlsContext::client(crypto::to_pem(checked.der(), kPemLabel));
}

} // namespace tcfdl::sdk
