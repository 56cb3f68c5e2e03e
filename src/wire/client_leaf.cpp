#include "wire/client_leaf.hpp"

#include "crypto/tls_certificate.hpp"

namespace tcfdl::wire {
namespace {

Error refused(const Error& why) { return {Code::kUnauthenticated, "the TLS certificate: " + why.message()}; }

} // namespace

Result<TlsClient> verify_client_leaf(BytesView leaf, const ClientLeafTrust& trust) {
  const auto x509 = crypto::Certificate::parse(leaf);
  if (!x509) return refused(x509.error());
  const auto statement = crypto::client_statement_of(*x509);
  if (!statement) return refused(statement.error()); // a server's
  const auto unverified = parse<Signed>(*statement);
  if (!unverified) return refused(unverified.error());
  TCFDL_ASSIGN(auto client, verify_certificate(trust.authority, *unverified, {ROLE_CLIENT}, trust.now));
  if (client.cluster() != trust.cluster) {
    return make_error(Code::kUnauthenticated, "{} is a client of cluster {}, this is {}", client.subject(),
                      client.cluster(), trust.cluster);
  }
  if (client.verify_key() != as_text(x509->point())) { // else a statement could be shown by whoever has seen it
    return make_error(Code::kUnauthenticated, "the certificate of {} is of another key than the TLS certificate",
                      client.subject());
  }
  TCFDL_TRY(trust.revocations.check_key(client.verify_key(), client.subject()));
  return TlsClient{*unverified, std::move(client)};
}

} // namespace tcfdl::wire
