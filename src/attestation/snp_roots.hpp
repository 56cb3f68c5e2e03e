// The root keys that SNP evidence is trusted under.
#pragma once

#include "attestation/snp_report.hpp"
#include "crypto/x509.hpp"

namespace tcfdl::attestation {

/// The root of a product line: its ARK, self-signed.
struct SnpRoot {
  SnpProduct product;
  crypto::Certificate ark;
};

/// AMD's, one for each product line.
Result<std::vector<SnpRoot>> amd_roots();

} // namespace tcfdl::attestation
