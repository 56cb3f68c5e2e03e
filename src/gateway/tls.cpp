#include "gateway/tls.hpp"

#include "crypto/hash.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::gateway {
namespace {

struct Checked {
  std::string leaf_pem;
  std::string root_pem;
};

Result<Checked> check(const sdk::Identity& identity, const sdk::TlsChain& chain, const std::string& cluster,
                      const Clock& clock) {
  if (chain.size() != 2) return Error(Code::kFailedPrecondition, "the authority gave no certificate for TLS");
  const auto now = clock.now();
  TCFDL_ASSIGN(const auto leaf, crypto::Certificate::parse(chain.front()));
  TCFDL_ASSIGN(const auto root, crypto::check_tls_root(chain.back(), crypto::sha256(identity.authority.bytes()), now));
  TCFDL_TRY(
      crypto::check_tls_certificate(leaf, root, identity.signing.public_key(), wire::gateway_server(cluster), now));
  return Checked{crypto::to_pem(leaf.der(), "CERTIFICATE"), crypto::to_pem(root.der(), "CERTIFICATE")};
}

} // namespace

Result<std::shared_ptr<http::ServerTls>> make_server_tls(const sdk::Identity& identity, const sdk::TlsChain& chain,
                                                         const std::string& cluster, const Clock& clock) {
  TCFDL_ASSIGN(const auto checked, check(identity, chain, cluster, clock));
  auto key = std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(identity.signing));
  return http::ServerTls::make(checked.leaf_pem, std::move(key), checked.root_pem);
}

Status renew_server_tls(http::ServerTls& tls, const sdk::Identity& identity, const sdk::TlsChain& chain,
                        const std::string& cluster, const Clock& clock) {
  TCFDL_ASSIGN(const auto checked, check(identity, chain, cluster, clock));
  return tls.replace(checked.leaf_pem);
}

} // namespace tcfdl::gateway
