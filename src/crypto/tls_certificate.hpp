// X.509 certificates for TLS (RFC 5280): a root that is the authority's own key, and its short-lived leaves.
#pragma once

#include "crypto/signature.hpp"
#include "crypto/x509.hpp"

namespace tcfdl::crypto {

/// A self-signed root of `key`, whose leaves have names below `domain` only; no further CA may stand below it. Its
/// subject names the key, so roots that one key made at different times stand for each other.
Certificate make_tls_root(const SigningKey& key, const std::string& domain, Validity validity);

/// The extension (X.667 names it by a UUID) in which a client's leaf carries what the authority states of the client:
/// an OCTET STRING.
constexpr const char* kClientStatementOid = "2.25.106499758919874134358033149139000975159";

/// What a leaf says. At least one name; the first is the common name's source and at most 253 characters long.
struct TlsLeaf {
  VerifyKey key;
  std::vector<std::string> dns_names;
  Validity validity;
  /// Of a client, which is no server then: the octets of `kClientStatementOid`.
  Bytes client_statement = {};
};

/// A leaf with a random serial, for servers that are also clients of each other (extendedKeyUsage has both), or for a
/// client alone; `issuer` is the root's key. INVALID_ARGUMENT for no name and for names that are none.
Result<Certificate> issue_tls_certificate(const SigningKey& issuer, const Certificate& root, const TlsLeaf& leaf);

/// What a client's leaf carries. NOT_FOUND for other leaves, INVALID_ARGUMENT for what is no OCTET STRING.
Result<Bytes> client_statement_of(const Certificate& leaf);

/// Reads a root that is not trusted yet: its key must be the one whose 65 bytes have that SHA-256. INVALID_ARGUMENT for
/// what is no certificate, UNAUTHENTICATED for another key, for one that it did not sign itself, and at a wrong time.
Result<Certificate> check_tls_root(BytesView certificate, BytesView key_hash, UnixSeconds now);

/// Whether `leaf` is of the root, in force, of that key, and for that name. UNAUTHENTICATED says what is not.
Status check_tls_certificate(const Certificate& leaf, const Certificate& root, const VerifyKey& key,
                             const std::string& dns_name, UnixSeconds now);

/// A leaf and its root, which `check_tls_chain` found good.
struct TlsPair {
  Certificate leaf;
  Certificate root;
};

/// Both checks of a chain from outside, leaf and then root, neither of them trusted yet. FAILED_PRECONDITION for a
/// chain of another length, which is no answer of an authority.
Result<TlsPair> check_tls_chain(std::span<const Bytes> chain, BytesView root_key_hash, const VerifyKey& key,
                                const std::string& dns_name, UnixSeconds now);

/// PKCS #8 (RFC 5958) in PEM, unencrypted: what servers read.
SecretBytes private_key_pem(const SigningKey& key);

/// Whether a text is a DNS name of letters, digits, `-` and dots, as certificates and servers write it.
bool is_dns_name(std::string_view text) noexcept;

} // namespace tcfdl::crypto
