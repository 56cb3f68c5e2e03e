// What the certificate of a report's signing key says of the platform (AMD 57230, VCEK Certificate and KDS Interface
// Specification, table of custom extensions; the VLEK's are a subset).
#pragma once

#include "attestation/snp_report.hpp"
#include "crypto/x509.hpp"

namespace tcfdl::attestation {

struct SnpLeaf {
  SnpSigner kind = SnpSigner::kVcek;
  std::string product_name;
  SnpProduct product = SnpProduct::kMilan;
  SnpTcb tcb;
  Bytes hardware_id;    ///< 64 bytes, 8 since Turin; empty for a VLEK
  std::string provider; ///< VLEK: whom AMD issued it to
};

/// Reads the extensions. INVALID_ARGUMENT when one is missing, of another form, or must not be there (a VLEK with a
/// hardware id), and for an unknown product.
Result<SnpLeaf> read_snp_leaf(const crypto::Certificate& certificate, SnpSigner kind);

} // namespace tcfdl::attestation
