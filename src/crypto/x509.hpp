// X.509 certificates and revocation lists (RFC 5280), read for verifiers that pin their roots: no trust store, no
// network, time as a parameter.
#pragma once

#include "base/clock.hpp"
#include "crypto/ecdsa.hpp"

#include <memory>
#include <optional>
#include <set>
#include <vector>

struct x509_st;
struct X509_crl_st;

namespace tcfdl::crypto {

/// The most bytes of a certificate file, of one list of revocations, and the most certificates of a bundle.
constexpr std::size_t kLargestBundle = std::size_t{256} << 10U;
constexpr std::size_t kLargestCrl = std::size_t{4} << 20U;
constexpr std::size_t kMostCertificates = 32;

/// A span of time, both ends included.
struct Validity {
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
  [[nodiscard]] bool contains(UnixSeconds time) const noexcept { return not_before <= time && time <= not_after; }
};

/// A certificate, whose own form only was checked. Copies share the parsed form; const members are thread-safe.
class Certificate {
public:
  /// Exactly one certificate, in PEM or DER; text around a PEM block is ignored. INVALID_ARGUMENT otherwise, for bytes
  /// after the DER, negative serials and extensions of RFC 5280 that do not parse.
  static Result<Certificate> parse(BytesView bytes);

  /// Subject and issuer as RFC 2253 writes them, and their last common name (empty if there is none).
  [[nodiscard]] const std::string& subject() const noexcept { return facts_->subject; }
  [[nodiscard]] const std::string& issuer() const noexcept { return facts_->issuer; }
  [[nodiscard]] const std::string& common_name() const noexcept { return facts_->common_name; }
  [[nodiscard]] const std::string& issuer_common_name() const noexcept { return facts_->issuer_common_name; }
  /// Big endian without leading zeros: {0} for serial 0.
  [[nodiscard]] const Bytes& serial() const noexcept { return facts_->serial; }
  [[nodiscard]] const Validity& validity() const noexcept { return facts_->validity; }
  /// DER of the SubjectPublicKeyInfo.
  [[nodiscard]] const Bytes& public_key_info() const noexcept { return facts_->public_key_info; }
  /// The curve, and the point as 0x04 ‖ x ‖ y; nullopt and empty unless the key is one of P-256 or P-384.
  [[nodiscard]] std::optional<Curve> curve() const noexcept { return facts_->curve; }
  [[nodiscard]] const Bytes& point() const noexcept { return facts_->point; }
  [[nodiscard]] const Bytes& der() const noexcept { return facts_->der; }

  /// The value (content of the OCTET STRING) of the extension with that dotted OID. NOT_FOUND if there is none,
  /// INVALID_ARGUMENT if it occurs twice.
  [[nodiscard]] Result<Bytes> extension(const std::string& oid) const;

  /// Whether `issuer` signed this: names match, the signature is of its key and uses SHA-256 or better, and `issuer`
  /// is a CA that may sign certificates. UNAUTHENTICATED names both. Dates and path lengths: `check_chain`.
  [[nodiscard]] Status check_issued_by(const Certificate& issuer) const;

  /// Whether this is a CA that may have `below` CA certificates between itself and a leaf. PERMISSION_DENIED otherwise.
  [[nodiscard]] Status check_ca(std::size_t below) const;

  /// UNAUTHENTICATED unless `r_and_s` is the ECDSA signature of this certificate's key over `message`.
  [[nodiscard]] Status verify_ecdsa(BytesView message, BytesView r_and_s) const;

  friend bool operator==(const Certificate& left, const Certificate& right) { return left.der() == right.der(); }

private:
  struct Facts {
    std::string subject, issuer, common_name, issuer_common_name;
    Bytes serial, public_key_info, point, der;
    Validity validity;
    std::optional<Curve> curve;
    bool unknown_critical = false;
  };
  friend class Crl;
  Certificate(std::shared_ptr<x509_st> native, std::shared_ptr<const Facts> facts)
      : native_(std::move(native)), facts_(std::move(facts)) {}
  static Result<Certificate> from_der(BytesView der);
  static Result<Facts> read(x509_st* native, BytesView der);
  friend Result<std::vector<Certificate>> parse_certificates(BytesView bytes);

  std::shared_ptr<x509_st> native_;
  std::shared_ptr<const Facts> facts_;
};

/// One to `kMostCertificates` certificates in file order: PEM blocks, or DER one after the other. INVALID_ARGUMENT as
/// of `Certificate::parse`.
Result<std::vector<Certificate>> parse_certificates(BytesView bytes);

/// `leaf`, its issuer, and so on up to a self-issued certificate, found in `pool` in whatever order that is. NOT_FOUND
/// names the certificate whose issuer is missing. Says nothing of dates or of the trust in the last one.
Result<std::vector<Certificate>> build_chain(const Certificate& leaf, const std::vector<Certificate>& pool);

/// Checks a chain, leaf first: each is issued by the next, the last by itself, all are valid at `now`, every issuer is
/// a CA of sufficient path length. UNAUTHENTICATED or PERMISSION_DENIED name the certificate. The caller pins the last.
Status check_chain(const std::vector<Certificate>& chain, UnixSeconds now);

/// A list of revoked serials. Immutable; copies share it.
class Crl {
public:
  /// Exactly one list, in PEM or DER. INVALID_ARGUMENT otherwise, for one without nextUpdate, and for critical
  /// extensions (partial, indirect and delta lists).
  static Result<Crl> parse(BytesView bytes);

  [[nodiscard]] const std::string& issuer() const noexcept { return issuer_; }
  /// From thisUpdate to nextUpdate.
  [[nodiscard]] const Validity& validity() const noexcept { return validity_; }
  [[nodiscard]] std::size_t size() const noexcept { return serials_.size(); }

  /// UNAUTHENTICATED unless `issuer` has this list's issuer name, may sign lists, and signed it.
  [[nodiscard]] Status check_issued_by(const Certificate& issuer) const;

  /// Whether it names that serial, written as `Certificate::serial` does. Only of certificates of the same issuer.
  [[nodiscard]] bool revokes(const Bytes& serial) const { return serials_.contains(serial); }

private:
  Crl() = default;
  static Result<Crl> from_der(BytesView der);

  std::shared_ptr<X509_crl_st> native_;
  std::string issuer_;
  Validity validity_;
  std::set<Bytes> serials_;
};

} // namespace tcfdl::crypto
