// Makes keys, certificates and revocation lists for tests, good and bad ones alike. Ends the process when libcrypto
// refuses, so tests use the values without checks.
#pragma once

#include "base/clock.hpp"
#include "crypto/ecdsa.hpp"

#include <memory>
#include <optional>
#include <vector>

struct evp_pkey_st;

namespace tcfdl::crypto::test {

/// A key pair that signs certificates (RSA as RSASSA-PSS with SHA-384, P-384 with SHA-384, P-256 with SHA-256).
class Key {
public:
  static Key p256();
  static Key p384();
  /// 2048 bits, made once for the process and shared: the n-th key, from 0.
  static const Key& rsa(std::size_t n = 0);

  /// 0x04 ‖ x ‖ y.
  [[nodiscard]] Bytes point() const;
  /// ECDSA, r ‖ s, big endian.
  [[nodiscard]] Bytes sign(BytesView message) const;
  [[nodiscard]] evp_pkey_st* native() const { return native_.get(); }

private:
  explicit Key(evp_pkey_st* native);
  std::shared_ptr<evp_pkey_st> native_;
};

struct Extension {
  std::string oid;
  Bytes value;
  bool critical = false;
};

/// What a certificate says. A CA gets basicConstraints (with `path_length`) and keyUsage keyCertSign, cRLSign.
struct CertificateText {
  std::string subject;
  std::string issuer;
  std::uint64_t serial = 1;
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
  bool ca = false;
  std::optional<int> path_length = {};
  std::vector<Extension> extensions = {};
  std::string key_usage = {}; ///< as `openssl x509v3_config` writes it; empty: the default
  std::string digest = {};    ///< empty: the default of the issuer's key
};

/// DER.
Bytes make_certificate(const CertificateText& text, const Key& subject, const Key& issuer);

struct CrlText {
  std::string issuer;
  UnixSeconds this_update = 0;
  UnixSeconds next_update = 0;
  std::vector<std::uint64_t> serials = {};
  bool critical_extension = false;
};

/// DER.
Bytes make_crl(const CrlText& text, const Key& issuer);

/// PEM of DER.
std::string to_pem(BytesView der, const std::string& label = "CERTIFICATE");

} // namespace tcfdl::crypto::test
