// SNP reports: whatever parses has a known version, and its signature is the field's bytes turned round.
#include "attestation/snp_report.hpp"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::attestation;
  const tcfdl::BytesView input(data, size);
  const auto report = parse_snp_report_unverified(input);
  if (!report) return 0;
  if (size != kSnpReportSize || report->version < 2 || report->version > 5) std::abort();
  if (!std::equal(report->signature.rbegin() + 48, report->signature.rend(), data + 0x2A0)) std::abort();
  if (!std::ranges::equal(report->signed_bytes, input.first(kSnpSignedSize))) std::abort();
  if (const auto& cpuid = report->cpuid) (void)snp_product_of_cpuid(cpuid->family, cpuid->model);
  if (!snp_tcb(report->reported_tcb, SnpProduct::kTurin).at_least({})) std::abort();
  return 0;
}
