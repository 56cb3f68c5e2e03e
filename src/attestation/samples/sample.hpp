// Evidence of every kind of TEE under roots made for the process: for tests and benchmarks, which need no hardware.
#pragma once

#include "attestation/verifier.hpp"

namespace tcfdl::attestation {

/// Evidence that its verifier finds good at `now`. Nobody's pinned roots are in it.
struct EvidenceSample {
  std::unique_ptr<Verifier> verifier;
  wire::Evidence evidence;
  Endorsements endorsements;
  Expectations expected;
  UnixSeconds now = 0;
};

EvidenceSample sgx_sample();
EvidenceSample tdx_sample();
/// Of a Milan processor, signed by a VCEK.
EvidenceSample snp_sample();
EvidenceSample software_sample();

} // namespace tcfdl::attestation
