#include "attestation/samples/sample.hpp"
#include "cli/bench.hpp"
#include "cli/bench_rows.hpp"

namespace tcfdl::cli {
namespace {

Status verify(const attestation::EvidenceSample& sample) {
  const auto findings = sample.verifier->verify(sample.evidence, sample.endorsements, sample.expected, sample.now);
  if (findings.verified()) return {};
  return make_error(Code::kInternal, "evidence of {} that must be good is refused", sample.evidence.tee_kind());
}

} // namespace

Status bench_attestation(unsigned repeats, const std::string& floor, double floor_p50, Json& rows) {
  for (const auto make :
       {attestation::sgx_sample, attestation::tdx_sample, attestation::snp_sample, attestation::software_sample}) {
    const auto sample = make();
    TCFDL_ASSIGN(const auto durations, measure(repeats, [&] { return verify(sample); }));
    auto row = bench_row("verify_" + sample.evidence.tee_kind(), 0, durations, floor, floor_p50);
    row["per_second"] = 1e6 / row["p50_us"].get<double>();
    rows.push_back(std::move(row));
  }
  return {};
}

} // namespace tcfdl::cli
