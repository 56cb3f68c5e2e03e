// SGX and TDX quotes: parsed within their bytes, and what parses can be looked at whole by a verifier.
#include "attestation/intel.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tcfdl::attestation::IntelVerifier kSgxVerifier(tcfdl::attestation::kSgx);
  static const tcfdl::attestation::IntelVerifier kTdxVerifier(tcfdl::attestation::kTdx);
  tcfdl::wire::Evidence evidence;
  evidence.set_report(data, size);
  tcfdl::attestation::Expectations expected;
  expected.unbound = true;
  for (const auto* verifier : {&kSgxVerifier, &kTdxVerifier}) {
    evidence.set_tee_kind(std::string(verifier->tee_kind()));
    // Nothing is verified without collateral.
    if (verifier->verify(evidence, {}, expected, 1'750'000'000).verified()) std::abort();
  }
  return 0;
}
