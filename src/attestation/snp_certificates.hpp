// What comes beside an SNP report: certificates and lists of revocations, in whatever form hosts hand them over.
#pragma once

#include "crypto/x509.hpp"

namespace tcfdl::attestation {

/// What an entry of the certificate table says to be.
enum class SnpTableKind : std::uint8_t { kArk, kAsk, kVcek, kVlek, kCrl, kOther };

/// A view into the table's bytes.
struct SnpTableEntry {
  SnpTableKind kind = SnpTableKind::kOther;
  BytesView content;
};

/// The entries of a certificate table (AMD 56421, GHCB Standardization, section 4.1.8.1: entries of GUID, offset and
/// length, ended by a zero GUID), which Linux passes on as `auxblob`. None for bytes that are all zero.
/// INVALID_ARGUMENT for an entry outside the bytes or inside the list of entries, more than 16 entries, and a list
/// without end.
Result<std::vector<SnpTableEntry>> parse_snp_table(BytesView bytes);

/// Certificates and lists of revocations, none of them checked. One thread at a time while it is filled.
class SnpCertificates {
public:
  /// Adds what a file holds: certificates (PEM or DER, one or more), a list of revocations (PEM or DER), or a
  /// certificate table, whose entries of unknown kind are passed over. INVALID_ARGUMENT for anything else and for more
  /// than `crypto::kMostCertificates` certificates or lists in all.
  Status add(BytesView file);

  [[nodiscard]] const std::vector<crypto::Certificate>& certificates() const noexcept { return certificates_; }
  [[nodiscard]] const std::vector<crypto::Crl>& crls() const noexcept { return crls_; }

private:
  Status add_table(BytesView table);
  Status add_certificates(BytesView bytes);
  Status add_crl(BytesView bytes);

  std::vector<crypto::Certificate> certificates_;
  std::vector<crypto::Crl> crls_;
};

} // namespace tcfdl::attestation
