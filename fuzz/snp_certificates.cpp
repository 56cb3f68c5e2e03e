// Certificates beside SNP reports: entries of a table lie within it, and no file crashes the reader.
#include "attestation/snp_certificates.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::attestation;
  const tcfdl::BytesView input(data, size);
  if (const auto entries = parse_snp_table(input)) {
    for (const auto& entry : *entries) {
      if (entry.content.empty() || entry.content.data() < data + 40) std::abort();
      if (entry.content.data() + entry.content.size() > data + size) std::abort();
    }
  }
  SnpCertificates certificates;
  (void)certificates.add(input);
  if (certificates.certificates().size() > tcfdl::crypto::kMostCertificates) std::abort();
  return 0;
}
