// A cluster's authority and one client of it, for tests.
#pragma once

#include "crypto/pem.hpp"
#include "crypto/server_tls.hpp"
#include "crypto/tls_certificate.hpp"
#include "gateway/callers.hpp"
#include "http/client.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::gateway {

/// The bearer token of the servers.
constexpr auto kToken = "0123456789abcdef";

class ClientWorld {
public:
  ClientWorld() {
    anna.set_subject("anna");
    anna.set_role(wire::ROLE_CLIENT);
    anna.set_verify_key(wire::field(key.public_key().bytes()));
    anna.set_cluster(cluster);
    anna.set_issued(now);
    anna.set_expires(now + 1000);
    anna.set_serial(8);
    anna.add_grants("plates/*");
  }
  /// The TLS certificate of anna as she is described now.
  [[nodiscard]] Bytes leaf() const {
    const auto made = crypto::issue_tls_certificate(authority, root,
                                                    {.key = key.public_key(),
                                                     .dns_names = {wire::client_name("anna", cluster)},
                                                     .validity = {now - 100, now + 1000},
                                                     .client_statement = wire::serialize(wire::sign(authority, anna))});
    return made.value().der();
  }
  /// A server's TLS as that of a gateway, and what anna shows it.
  [[nodiscard]] std::shared_ptr<crypto::ServerTls> server_tls() const {
    const auto leaf = crypto::issue_tls_certificate(
        authority, root, {authority.public_key(), {wire::gateway_server(cluster)}, {now - 100, now + 1000}});
    return crypto::ServerTls::make(pem(leaf.value().der()), pem(authority), pem(root.der())).value();
  }
  [[nodiscard]] http::ClientTls client_tls() const {
    return {pem(root.der()), wire::gateway_server(cluster), pem(this->leaf()), pem(key)};
  }
  static std::string pem(BytesView der) { return crypto::to_pem(der, "CERTIFICATE"); }
  static std::shared_ptr<const crypto::SecretBytes> pem(const crypto::SigningKey& secret) {
    return std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(secret));
  }
  /// Puts more onto the list.
  void revoke(std::initializer_list<std::uint64_t> serials, bool with_key = false) {
    list.set_number(list.number() + 1);
    for (const auto serial : serials) list.add_serials(serial);
    if (with_key) list.add_keys(wire::field(crypto::sha256(as_bytes(anna.verify_key()))));
    if (!revocations.accept(wire::sign(authority, list))) std::abort();
  }

  const SystemClock clock;
  const UnixSeconds now = clock.now();
  const std::string cluster = "west";
  const crypto::SigningKey authority = crypto::SigningKey::generate();
  const crypto::SigningKey key = crypto::SigningKey::generate();
  const crypto::Certificate root = crypto::make_tls_root(authority, wire::kServerDomain, {now - 1000, now + 10'000});
  wire::Certificate anna;
  wire::RevocationList list;
  wire::Revocations revocations{authority.public_key()};
};

} // namespace tcfdl::gateway
